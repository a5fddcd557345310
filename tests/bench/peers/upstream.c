// The upstream of the benchmark: answers every HTTP/1.1 request with the same 200 bytes, or with
// 64 KiB or 1 MiB where the path ends in /64k or /1m, from one thread with poll, so that it costs
// next to nothing beside what is measured. Bodies of requests are read and forgotten. It trusts its
// peers.
//
//     upstream PORT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { body_bytes = 200, buffer_bytes = 64 * 1024, connections_max = 4096 };

struct answer {
  char* data;
  size_t size;
};

struct connection {
  int descriptor;
  size_t size;
  // What is given once the body is there; NULL: a head is awaited.
  const struct answer* due;
  size_t body_left;
  size_t sent;
  char data[buffer_bytes];
};

// The listener comes first, and has no connection.
static struct pollfd polled[1 + connections_max];
static struct connection* connections[1 + connections_max];
static nfds_t polled_count;

static struct answer small, large, larger;

static struct answer make_answer(const char* body, size_t bytes) {
  struct answer made = {malloc(bytes + 1024), 0};
  made.size = (size_t)sprintf(made.data,
                              "HTTP/1.1 200 OK\r\nServer: upstream\r\n"
                              "Content-Type: application/json\r\nContent-Length: %zu\r\n"
                              "X-Request-Id: 12345678\r\n\r\n",
                              bytes);
  memset(made.data + made.size, 'n', bytes);
  memcpy(made.data + made.size, body, strlen(body));
  made.size += bytes;
  memcpy(made.data + made.size - 2, "\"}", 2);
  return made;
}

static void make_answers(void) {
  const char* begin = "{\"status\":\"accepted\",\"dispatch_id\":\"9b2f4c1e-7d1a-4f0e-8a52-0f3c1d2e4b5a\","
                      "\"amount\":1299,\"currency\":\"EUR\",\"note\":\"";
  small = make_answer(begin, body_bytes);
  large = make_answer(begin, 64 * 1024);
  larger = make_answer(begin, 1024 * 1024);
}

static int listen_on(int port) {
  const int on = 1;
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) || listen(listener, 1024)) {
    perror("upstream");
    exit(1);
  }
  return listener;
}

static void accept_all(int listener) {
  const int on = 1;
  for (;;) {
    const int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (descriptor < 0) return;
    if (polled_count > connections_max) {
      close(descriptor);
      continue;
    }
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection* connection = calloc(1, sizeof *connection);
    connection->descriptor = descriptor;
    connections[polled_count] = connection;
    polled[polled_count++] = (struct pollfd){.fd = descriptor, .events = POLLIN};
  }
}

/// The last one takes its place.
static void end(nfds_t i) {
  close(connections[i]->descriptor);
  free(connections[i]);
  connections[i] = connections[--polled_count];
  polled[i] = polled[polled_count];
}

/// The bytes of the first whole head in the buffer, or 0; `body`: what it says follows.
static size_t first_head(const struct connection* connection, size_t* body) {
  const char* end = memmem(connection->data, connection->size, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  *body = 0;
  for (const char* line = connection->data; line < end;) {
    if (strncasecmp(line, "content-length:", 15) == 0) *body = strtoul(line + 15, NULL, 10);
    line = (const char*)memchr(line, '\n', end + 2 - line) + 1;
  }
  return (size_t)(end + 4 - connection->data);
}

static const struct answer* choose(const struct connection* connection) {
  const char* end = memchr(connection->data, '\r', connection->size);
  if (memmem(connection->data, (size_t)(end - connection->data), "/64k ", 5)) return &large;
  if (memmem(connection->data, (size_t)(end - connection->data), "/1m ", 4)) return &larger;
  return &small;
}

static void drop(struct connection* connection, size_t bytes) {
  connection->size -= bytes;
  memmove(connection->data, connection->data + bytes, connection->size);
}

/// Answers what has come whole, one after the other, as far as the socket takes it. False when the
/// connection is over.
static int answer_all(struct connection* connection) {
  for (;;) {
    if (connection->due == NULL) {
      const size_t head = first_head(connection, &connection->body_left);
      if (head == 0) return connection->size < buffer_bytes;
      connection->due = choose(connection);
      connection->sent = 0;
      drop(connection, head);
    }
    const size_t left = connection->body_left;
    const size_t here = left < connection->size ? left : connection->size;
    drop(connection, here);
    connection->body_left -= here;
    if (connection->body_left > 0) return 1;
    while (connection->sent < connection->due->size) {
      const ssize_t sent = send(connection->descriptor, connection->due->data + connection->sent,
                                connection->due->size - connection->sent, MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN;
      connection->sent += (size_t)sent;
    }
    connection->due = NULL;
  }
}

/// False when the connection is over.
static int serve(struct connection* connection) {
  const int sending = connection->due != NULL && connection->body_left == 0;
  if (!sending) {
    const ssize_t got = read(connection->descriptor, connection->data + connection->size,
                             buffer_bytes - connection->size);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    connection->size += (size_t)got;
  }
  return answer_all(connection);
}

static short awaited(const struct connection* connection) {
  return connection->due != NULL && connection->body_left == 0 ? POLLOUT : POLLIN;
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  make_answers();
  const int listener = listen_on(atoi(arguments[1]));
  polled[polled_count++] = (struct pollfd){.fd = listener, .events = POLLIN};
  for (;;) {
    poll(polled, polled_count, -1);
    // From the end: what takes the place of one that ended was served already.
    for (nfds_t i = polled_count - 1; i > 0; --i) {
      if (polled[i].revents == 0) continue;
      if (serve(connections[i])) {
        polled[i].events = awaited(connections[i]);
      } else {
        end(i);
      }
    }
    if (polled[0].revents != 0) accept_all(listener);
  }
}
