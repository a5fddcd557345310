// Sends events as fast as they are acknowledged, over some connections, each with one request under way:
//
//     event_fill PORT EVENTS CONNECTIONS PREFIX < BODY
//
// PREFIX is what the events' keys begin with. For a million events; event_load.py costs several times as much.
// Any answer but 202, and any trouble, ends it with exit code 1.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { body_max = 64 * 1024, answer_max = 16 * 1024, connections_max = 1024 };

struct connection {
  int socket;
  size_t got;
  char answer[answer_max + 1];
};

static char body[body_max];
static size_t body_bytes;
static long sent, events;
static const char* prefix;

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static void send_next(struct connection* to) {
  static char request[body_max + 512];
  const int head = snprintf(request, sizeof request,
                            "POST /events HTTP/1.1\r\nHost: a\r\nIdempotency-Key: %s%ld\r\n"
                            "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                            prefix, sent++, body_bytes);
  memcpy(request + head, body, body_bytes);
  const size_t all = (size_t)head + body_bytes;
  // The socket is blocking, and its buffer is larger than a request.
  if (send(to->socket, request, all, MSG_NOSIGNAL) != (ssize_t)all) fail("send");
  to->got = 0;
}

// Whether the whole answer is there.
static int answered(struct connection* from) {
  const ssize_t got = recv(from->socket, from->answer + from->got, answer_max - from->got, 0);
  if (got <= 0) fail("recv");
  from->got += (size_t)got;
  from->answer[from->got] = 0;
  const char* const end = strstr(from->answer, "\r\n\r\n");
  if (end == NULL) return 0;
  const char* const length = strcasestr(from->answer, "\r\ncontent-length:");
  if (length == NULL || strncmp(from->answer, "HTTP/1.1 202", 12) != 0) {
    fprintf(stderr, "no acknowledgement: %.200s\n", from->answer);
    exit(1);
  }
  const size_t head = (size_t)(end + 4 - from->answer);
  return from->got >= head + strtoul(length + 17, NULL, 10);
}

int main(int count, char** arguments) {
  if (count != 5) return 2;
  events = atol(arguments[2]);
  const int connections = atoi(arguments[3]);
  prefix = arguments[4];
  if (connections < 1 || connections > connections_max) return 2;
  body_bytes = fread(body, 1, sizeof body, stdin);
  const int poll = epoll_create1(0);
  struct connection* const all = calloc((size_t)connections, sizeof *all);
  if (poll < 0 || all == NULL) fail("start");
  int open = 0;
  for (; open < connections && sent < events; ++open) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[1]))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct connection* const one = &all[open];
    one->socket = socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    setsockopt(one->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(one->socket, (struct sockaddr*)&to, sizeof to) != 0) fail("connect");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, one->socket, &event) != 0) fail("epoll_ctl");
    send_next(one);
  }
  while (open > 0) {
    struct epoll_event ready[64];
    const int number = epoll_wait(poll, ready, 64, 30000);
    if (number <= 0) fail("no answer");
    for (int i = 0; i < number; ++i) {
      struct connection* const one = ready[i].data.ptr;
      if (!answered(one)) continue;
      if (sent < events) {
        send_next(one);
      } else {
        close(one->socket);
        --open;
      }
    }
  }
  return 0;
}
