// A consumer of a Redis stream that costs as little as one can: event_consumer.py in C. It reads what
// its group has not had, 64 at a time, posts each event over a kept connection, and acknowledges those
// that were answered with 2xx. Nothing is retried, and it trusts its peers.
//
//     event_consumer REDIS_PORT GROUP SERVICE_PORT
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { buffer_bytes = 1 << 20, batch = 64 };

struct peer {
  int descriptor;
  size_t begin, end;
  char data[buffer_bytes];
};

struct text {
  const char* data;
  size_t size;
};

static struct peer redis, service;

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static void connect_to(struct peer* peer, const char* port) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((unsigned short)atoi(port)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int on = 1;
  peer->descriptor = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(peer->descriptor, (struct sockaddr*)&address, sizeof address) != 0) fail("connect");
  setsockopt(peer->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void send_all(struct peer* peer, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t sent = send(peer->descriptor, data, size, MSG_NOSIGNAL);
    if (sent <= 0) fail("send");
    data += sent;
    size -= (size_t)sent;
  }
}

// More bytes behind those that are there. Texts of an answer that is being read stay where they are:
// the buffer is emptied between answers only.
static void receive(struct peer* peer) {
  if (peer->end == buffer_bytes) fail("an answer is too long");
  const ssize_t got = recv(peer->descriptor, peer->data + peer->end, buffer_bytes - peer->end, 0);
  if (got <= 0) exit(0);
  peer->end += (size_t)got;
}

static void begin_answer(struct peer* peer) {
  memmove(peer->data, peer->data + peer->begin, peer->end - peer->begin);
  peer->end -= peer->begin;
  peer->begin = 0;
}

static struct text line_of(struct peer* peer) {
  size_t looked = peer->begin;
  for (;;) {
    for (; looked + 1 < peer->end; ++looked) {
      if (peer->data[looked] != '\r' || peer->data[looked + 1] != '\n') continue;
      const struct text line = {peer->data + peer->begin, looked - peer->begin};
      peer->begin = looked + 2;
      return line;
    }
    receive(peer);
  }
}

static struct text bytes_of(struct peer* peer, size_t size) {
  while (peer->end - peer->begin < size) receive(peer);
  const struct text bytes = {peer->data + peer->begin, size};
  peer->begin += size;
  return bytes;
}

// A number, an error or the length of what follows; -1: nothing.
static long head_of_value(char* kind) {
  const struct text line = line_of(&redis);
  *kind = line.data[0];
  return strtol(line.data + 1, NULL, 10);
}

static struct text text_value(void) {
  char kind;
  const long size = head_of_value(&kind);
  const struct text text = bytes_of(&redis, (size_t)size + 2);
  return (struct text){text.data, (size_t)size};
}

static void skip_value(void) {
  char kind;
  const long count = head_of_value(&kind);
  if (kind == '$' && count >= 0) bytes_of(&redis, (size_t)count + 2);
  if (kind != '*') return;
  for (long i = 0; i < count; ++i) skip_value();
}

static int post(const char* group, struct text number, struct text body) {
  static char request[buffer_bytes];
  size_t size = (size_t)sprintf(
      request,
      "POST /events HTTP/1.1\r\nHost: a\r\nIdempotency-Key: %s-%.*s\r\n"
      "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
      group, (int)number.size, number.data, body.size);
  memcpy(request + size, body.data, body.size);
  send_all(&service, request, size + body.size);
  begin_answer(&service);
  const int good = line_of(&service).data[9] == '2';
  size_t length = 0;
  for (struct text line = line_of(&service); line.size > 0; line = line_of(&service)) {
    if (strncasecmp(line.data, "content-length:", 15) == 0) length = strtoul(line.data + 15, NULL, 10);
  }
  bytes_of(&service, length);
  return good;
}

int main(int count, char** words) {
  static char command[4096];
  struct text numbers[batch], bodies[batch];
  if (count != 4) return 2;
  const char* const group = words[2];
  const size_t group_size = strlen(group);
  connect_to(&redis, words[1]);
  connect_to(&service, words[3]);
  int size = sprintf(command,
                     "*6\r\n$6\r\nXGROUP\r\n$6\r\nCREATE\r\n$6\r\nevents\r\n$%zu\r\n%s\r\n$1\r\n0\r\n"
                     "$8\r\nMKSTREAM\r\n*5\r\n$6\r\nXGROUP\r\n$14\r\nCREATECONSUMER\r\n$6\r\nevents\r\n"
                     "$%zu\r\n%s\r\n$1\r\nc\r\n",
                     group_size, group, group_size, group);
  send_all(&redis, command, (size_t)size);
  skip_value();
  skip_value();
  for (;;) {
    size = sprintf(command,
                   "*11\r\n$10\r\nXREADGROUP\r\n$5\r\nGROUP\r\n$%zu\r\n%s\r\n$1\r\nc\r\n$5\r\nCOUNT\r\n"
                   "$2\r\n64\r\n$5\r\nBLOCK\r\n$4\r\n1000\r\n$7\r\nSTREAMS\r\n$6\r\nevents\r\n$1\r\n>\r\n",
                   group_size, group);
    send_all(&redis, command, (size_t)size);
    begin_answer(&redis);
    char kind;
    if (head_of_value(&kind) < 1) continue;  // of streams; none: the time was over
    head_of_value(&kind);                    // its name and its entries
    text_value();
    const long entries = head_of_value(&kind);
    for (long i = 0; i < entries; ++i) {
      head_of_value(&kind);  // number and fields
      numbers[i] = text_value();
      head_of_value(&kind);
      text_value();
      bodies[i] = text_value();
    }
    const size_t read = redis.begin;
    for (long i = 0; i < entries; ++i) {
      if (!post(group, numbers[i], bodies[i])) continue;
      size = sprintf(command,
                     "*4\r\n$4\r\nXACK\r\n$6\r\nevents\r\n$%zu\r\n%s\r\n$%zu\r\n%.*s\r\n"
                     "*2\r\n$4\r\nINCR\r\n$%zu\r\ndone:%s\r\n",
                     group_size, group, numbers[i].size, (int)numbers[i].size, numbers[i].data,
                     group_size + 5, group);
      send_all(&redis, command, (size_t)size);
      skip_value();
      skip_value();
      // The entries are in front of these answers, and are still needed.
      redis.begin = redis.end = read;
    }
  }
}
