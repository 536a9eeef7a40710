/* The least a Lambda bootstrap can do: take events from the Runtime API and answer each with a constant, over one
   kept-alive connection. What the sampler's start and round trip are measured against (benches/sampler.rs). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[1 << 16];

/* Reads one HTTP response into buffer, body included; ends the process when the connection ends. */
static void receive(int fd) {
    size_t length = 0;
    for (;;) {
        ssize_t got = read(fd, buffer + length, sizeof buffer - 1 - length);
        if (got <= 0) exit(0);
        length += (size_t)got;
        buffer[length] = 0;
        char *end = strstr(buffer, "\r\n\r\n");
        if (!end) continue;
        char *content = strcasestr(buffer, "content-length:");
        size_t body = content && content < end ? strtoul(content + 15, NULL, 10) : 0;
        if (length >= (size_t)(end + 4 - buffer) + body) return;
    }
}

static void send_all(int fd, const char *text, size_t length) {
    while (length > 0) {
        ssize_t sent = write(fd, text, length);
        if (sent <= 0) exit(0);
        text += sent;
        length -= (size_t)sent;
    }
}

int main(void) {
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    if (!api) return 1;
    char host[64];
    unsigned port;
    if (sscanf(api, "%63[^:]:%u", host, &port) != 2) return 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    inet_pton(AF_INET, host, &address.sin_addr);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) return 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);

    static const char body[] = "{\"statusCode\":200,\"body\":\"hello\"}";
    char request[512], id[128];
    for (;;) {
        int length = snprintf(request, sizeof request,
                              "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: %s\r\n\r\n", api);
        send_all(fd, request, (size_t)length);
        receive(fd);
        char *header = strcasestr(buffer, "lambda-runtime-aws-request-id:");
        if (!header || sscanf(header + 30, " %127[^\r\n]", id) != 1) return 1;
        length = snprintf(request, sizeof request,
                          "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: %s\r\n"
                          "Content-Length: %zu\r\n\r\n%s",
                          id, api, sizeof body - 1, body);
        send_all(fd, request, (size_t)length);
        receive(fd);
    }
}
