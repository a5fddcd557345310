// The upstream of the benchmark: answers every HTTP/1.1 request with the same 200 bytes, from one
// thread with poll, so that it costs next to nothing beside what is measured. It trusts its peers.
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

struct connection {
  int descriptor;
  size_t size;
  char data[buffer_bytes];
};

// The listener comes first, and has no connection.
static struct pollfd polled[1 + connections_max];
static struct connection* connections[1 + connections_max];
static nfds_t polled_count;

static char answer[1024];
static int answer_size;

static void make_answer(void) {
  char body[body_bytes + 1];
  int size = snprintf(body, sizeof body,
                      "{\"status\":\"accepted\",\"dispatch_id\":\"9b2f4c1e-7d1a-4f0e-8a52-0f3c1d2e4b5a\","
                      "\"amount\":1299,\"currency\":\"EUR\",\"note\":\"");
  memset(body + size, 'n', body_bytes - 2 - size);
  memcpy(body + body_bytes - 2, "\"}", 3);
  answer_size = snprintf(answer, sizeof answer,
                         "HTTP/1.1 200 OK\r\nServer: upstream\r\nContent-Type: application/json\r\n"
                         "Content-Length: %d\r\nX-Request-Id: 12345678\r\n\r\n%s",
                         body_bytes, body);
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
    struct connection* connection = malloc(sizeof *connection);
    connection->descriptor = descriptor;
    connection->size = 0;
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

/// The bytes of the first whole request in the buffer, or 0.
static size_t first_request(struct connection* connection) {
  const char* end = memmem(connection->data, connection->size, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  size_t body = 0;
  for (const char* line = connection->data; line < end;) {
    if (strncasecmp(line, "content-length:", 15) == 0) body = strtoul(line + 15, NULL, 10);
    line = (const char*)memchr(line, '\n', end + 2 - line) + 1;
  }
  const size_t size = (size_t)(end + 4 - connection->data) + body;
  return size <= connection->size ? size : 0;
}

/// False when the connection is over.
static int serve(struct connection* connection) {
  const ssize_t got = read(connection->descriptor, connection->data + connection->size,
                           buffer_bytes - connection->size - 1);
  if (got <= 0) return got < 0 && errno == EAGAIN;
  connection->size += (size_t)got;
  connection->data[connection->size] = '\0';
  size_t used;
  while ((used = first_request(connection)) > 0) {
    connection->size -= used;
    memmove(connection->data, connection->data + used, connection->size + 1);
    if (write(connection->descriptor, answer, (size_t)answer_size) != answer_size) return 0;
  }
  return connection->size < buffer_bytes - 1;
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  make_answer();
  const int listener = listen_on(atoi(arguments[1]));
  polled[polled_count++] = (struct pollfd){.fd = listener, .events = POLLIN};
  for (;;) {
    poll(polled, polled_count, -1);
    // From the end: what takes the place of one that ended was served already.
    for (nfds_t i = polled_count - 1; i > 0; --i) {
      if (polled[i].revents != 0 && !serve(connections[i])) end(i);
    }
    if (polled[0].revents != 0) accept_all(listener);
  }
}
