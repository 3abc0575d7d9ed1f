/* libwebsockets' callbacks, translated: sockets in, sessions out, and back. Frames
 * are written directly, once a loop turn; what libwebsockets would do itself with
 * timers, pings and close frames is done by the session. docs/ARCHITECTURE.md says
 * why. */
#include "front.h"

#include <errno.h>
#include <fcntl.h>
#include <libwebsockets.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api_http.h"
#include "bearer.h"
#include "clock.h"
#include "doorman.h"
#include "event.h"
#include "forwarded.h"
#include "http.h"
#include "log.h"
#include "login.h"
#include "memory.h"
#include "odd_request.h"
#include "origin.h"
#include "proxy_intake.h"
#include "refusal_response.h"
#include "socket_taken.h"
#include "stream.h"
#include "stream_socket.h"
#include "tls.h"

#define ENDPOINT "/api/v1/notifications/ws"
#define STREAM "/api/v1/notifications/stream"

enum {
    ACCEPT_BATCH = 64,
    COMPLAIN_EVERY_MS = 10000,
    HANDSHAKE_SECONDS = 10,
    LEAVE_SECONDS = 2, /* for the peer to read the last answer */
    HEADER_BYTES = 16384,
    RX_BYTES = 128,       /* per connection; longer messages come in pieces, a control frame's 125 bytes do not */
    TLS_RX_BYTES = 1024,  /* the same under TLS: version 4.3 gives up a record (16 kB) that takes a hundred pieces */
    WRITE_BYTES = 65536,  /* one write */
};

struct front {
    struct relay *relay;
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct lws_protocols protocols[2]; /* the first one also serves clients that name no subprotocol */
    struct lws *listener;
    struct proxy_intake *intake;
    struct doorman *doorman;
    struct stream_sockets *streams;
    struct lws_protocol_vhost_options hsts; /* a field of all its responses, but those that it does not make */
    char hsts_value[32];
    char hsts_line[64]; /* of those; "" for none */
    int listen_fd; /* a duplicate of the caller's; -1 when no longer accepting */
    uint64_t complain_ms; /* not before: the next line about too few file descriptors */
    int spare_fd;  /* given up for a moment when the process has no other left */
};

/* A connection that libwebsockets reads requests from; it ends as one, or becomes a session. */
struct guest {
    struct net_address address; /* of its socket's peer */
    struct peer *peer;          /* it is counted there; NULL for a proxy */
    struct api_guest api;
    struct odd_request *odd; /* its last request; NULL: it has made none such */
};

static struct front *front_of(struct lws *wsi)
{
    return lws_context_user(lws_get_context(wsi));
}

/* The opaque user data of a wsi is its guest, told by its lowest bit, or its session. */
static void set_guest(struct lws *wsi, struct guest *guest)
{
    lws_set_opaque_user_data(wsi, (void *)((uintptr_t)guest | 1));
}

static struct guest *guest_of(struct lws *wsi)
{
    uintptr_t data = (uintptr_t)lws_get_opaque_user_data(wsi);
    return data & 1 ? (struct guest *)(data - 1) : NULL;
}

static struct session *session_of(struct lws *wsi)
{
    return guest_of(wsi) ? NULL : lws_get_opaque_user_data(wsi);
}

/* ---- the door: what sessions want of their socket ---- */

static bool door_write(void *socket, const uint8_t *bytes, size_t size)
{
    /* A finished frame: nothing is put before it and nothing is changed in it. */
    return lws_write(socket, (unsigned char *)(uintptr_t)bytes, size, LWS_WRITE_RAW) >= 0;
}

/* The same without TLS: the kernel takes it all, mostly, at half of what lws_write() costs around its send(). The rest
 * of a frame is the library's, which knows when to go on. */
static bool door_send(void *socket, const uint8_t *bytes, size_t size)
{
    ssize_t taken = send(lws_get_socket_fd(socket), bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken < 0 && errno != EAGAIN && errno != EINTR)
        return false;
    size_t sent = taken < 0 ? 0 : (size_t)taken;
    return sent == size || door_write(socket, bytes + sent, size - sent);
}

static bool door_busy(void *socket)
{
    return lws_partial_buffered(socket) != 0;
}

static void door_want_write(void *socket)
{
    lws_callback_on_writable(socket);
}

static void door_kill(void *socket)
{
    lws_set_timeout(socket, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_SYNC);
}

static void door_read(void *socket, bool on)
{
    lws_rx_flow_control(socket, on);
}

static uint32_t door_taken(void *socket)
{
    return socket_taken(lws_get_socket_fd(socket));
}

static void door_expect(void *socket)
{
    door_busy(socket);
    lws_get_socket_fd(socket);
}

static const struct door plain_door = {door_send, door_busy,  door_want_write, door_kill,
                                       door_read, door_taken, door_expect};
static const struct door tls_door = {door_write, door_busy,  door_want_write, door_kill,
                                     door_read,  door_taken, door_expect};

const struct door *front_door(const struct config *config)
{
    return config->tls_cert ? &tls_door : &plain_door;
}

/* ---- accepting ---- */

static void give_up_one(struct front *front)
{
    front->relay->counters.sockets_dropped[DROPPED_OUT_OF_FILES]++;
    if (clock_now_ms() >= front->complain_ms) { /* each of thousands would be a line */
        log_error("out_of_file_descriptors", LOG_INT("sessions", front->relay->sessions.count));
        front->complain_ms = clock_now_ms() + COMPLAIN_EVERY_MS;
    }
    close(front->spare_fd);
    int fd = accept4(front->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    front->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* ---- guests ---- */

static bool is_proxy(const struct front *front, struct net_address address)
{
    return trusted_proxies_have(&front->relay->config->trusted_proxies, address);
}

static struct guest *guest_new(struct front *front, struct net_address address)
{
    struct relay *relay = front->relay;
    struct guest *guest = memory_zero(sizeof(*guest));
    guest->address = address;
    if (!is_proxy(front, address))
        guest->peer = peers_enter(&relay->sessions.peers, address, clock_now_ms(), relay->config->auth_failure_limit);
    relay->guests++;
    return guest;
}

static void guest_free(struct front *front, struct guest *guest)
{
    struct relay *relay = front->relay;
    if (!guest)
        return;
    api_http_end(&guest->api);
    odd_request_free(guest->odd);
    peers_leave(&relay->sessions.peers, guest->peer, clock_now_ms(), relay->config->auth_failure_limit);
    relay->guests--;
    free(guest);
}

/* From here on the socket is libwebsockets'. */
static void adopt(void *owner, int fd, struct net_address address)
{
    struct front *front = owner;
    lws_adoption_type tls = front->relay->config->tls_cert ? LWS_ADOPT_ALLOW_SSL : 0;
    lws_adopt_desc_t socket = {
        .vh = front->vhost, .type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP | tls, .fd = {.sockfd = fd}};
    struct guest *guest = guest_new(front, address);
    struct lws *wsi = lws_adopt_descriptor_vhost_via_info(&socket);
    if (wsi)
        set_guest(wsi, guest);
    else
        guest_free(front, guest);
}

/* From the intake, or from the listening socket. */
static void to_doorman(void *owner, int fd, struct net_address address)
{
    struct front *front = owner;
    if (front->relay->config->tls_cert)
        adopt(front, fd, address); /* there is nothing to be looked at before it is decrypted */
    else
        doorman_take(front->doorman, fd, address);
}

static void receive_socket(struct front *front, int fd, struct net_address peer)
{
    if (front->relay->config->proxy_protocol && is_proxy(front, peer))
        proxy_intake_take(front->intake, fd, peer);
    else
        to_doorman(front, fd, peer);
}

static void accept_batch(struct front *front)
{
    for (int i = 0; i < ACCEPT_BATCH && front->listen_fd >= 0; i++) {
        struct sockaddr_storage name;
        socklen_t size = sizeof(name);
        int fd = accept4(front->listen_fd, (struct sockaddr *)&name, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            receive_socket(front, fd, net_address_from_socket((struct sockaddr *)&name, size));
            continue;
        }
        if (errno == EMFILE || errno == ENFILE)
            give_up_one(front);
        if (errno != ECONNABORTED && errno != EINTR)
            return;
    }
}

/* ---- handshakes ---- */

/* A header's value, or "" when it is absent or does not fit. */
static const char *header(struct lws *wsi, enum lws_token_indexes which, char *out, size_t size)
{
    if (lws_hdr_copy(wsi, out, (int)size, which) < 0)
        out[0] = '\0';
    return out;
}

static void note_refusal(struct lws *wsi, enum refusal refusal)
{
    counters_refused(&front_of(wsi)->relay->counters, refusal, refusal_reason(refusal));
}

/* In plain text; the connection ends with it. */
static int refuse(struct lws *wsi, enum refusal refusal)
{
    char response[REFUSAL_RESPONSE_SIZE];
    size_t size = refusal_response(response, refusal, refusal_reason(refusal), front_of(wsi)->hsts_line);
    note_refusal(wsi, refusal);
    door_write(wsi, (const uint8_t *)response, size);
    return -1;
}

/* RFC 9110 §7.6.1: a list; with this member it is the hop before that wants an upgrade. */
static bool connection_has_upgrade(struct lws *wsi)
{
    char value[256], *rest = NULL;
    header(wsi, WSI_TOKEN_CONNECTION, value, sizeof(value));
    for (char *member = strtok_r(value, ", \t", &rest); member; member = strtok_r(NULL, ", \t", &rest))
        if (strcasecmp(member, "upgrade") == 0)
            return true;
    return false;
}

/* Only to WebSocket. Any other offer, such as that of h2c with which some clients begin, is left alone, and so is one that
 * Connection does not name (RFC 9110 §7.8): libwebsockets compares the value once more, and finds none that it knows. The
 * upgrade path of its version 4.1 reads freed memory when the header is gone. */
static int confirm_upgrade(struct lws *wsi, char *offer)
{
    char value[32];
    if (!lws_hdr_total_length(wsi, WSI_TOKEN_UPGRADE))
        return -1;
    if (strcasecmp(header(wsi, WSI_TOKEN_UPGRADE, value, sizeof(value)), "websocket") != 0 || !connection_has_upgrade(wsi))
        offer[0] = '\0';
    return 0;
}

/* The token of the Authorization header or of the query; empty when there is none. */
static struct text handshake_token(struct lws *wsi, char *buffer, size_t size)
{
    struct text token;
    if (bearer_token(text_of(header(wsi, WSI_TOKEN_HTTP_AUTHORIZATION, buffer, size)), &token))
        return token;
    const char *value = lws_get_urlarg_by_name(wsi, "token=", buffer, (int)size);
    return text_of(value ? value : "");
}

/* Sixteen bytes in base64. */
static bool is_key(const char *value)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return strspn(value, alphabet) == 22 && strcmp(value + 22, "==") == 0;
}

/* A body would be read as frames; a proxy in front might see a request in it. */
static bool has_body(struct lws *wsi)
{
    char value[8];
    return lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) ||
           (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) &&
            strcmp(header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, value, sizeof(value)), "0") != 0);
}

/* What RFC 6455 §4.2.1 wants and libwebsockets does not look at. */
static bool is_websocket(struct lws *wsi)
{
    char value[32];
    return strcmp(header(wsi, WSI_TOKEN_HTTP, value, sizeof(value)), "HTTP/1.1") == 0 &&
           strcmp(header(wsi, WSI_TOKEN_VERSION, value, sizeof(value)), "13") == 0 &&
           is_key(header(wsi, WSI_TOKEN_KEY, value, sizeof(value))) &&
           !lws_hdr_fragment_length(wsi, WSI_TOKEN_HOST, 1) && /* one Host */
           !has_body(wsi);
}

/* REFUSALS: not at all. */
static enum refusal why_no_handshake(struct lws *wsi)
{
    const struct config *config = front_of(wsi)->relay->config;
    char value[512], host[256];
    if (strcmp(header(wsi, WSI_TOKEN_GET_URI, value, sizeof(value)), ENDPOINT) != 0)
        return REFUSAL_NOT_FOUND;
    if (!is_websocket(wsi))
        return REFUSAL_NOT_WEBSOCKET;
    header(wsi, WSI_TOKEN_HOST, host, sizeof(host));
    if (lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN) &&
        !origin_allowed(config->allowed_origins, header(wsi, WSI_TOKEN_ORIGIN, value, sizeof(value)), host))
        return REFUSAL_ORIGIN;
    return REFUSALS;
}

static int check_handshake(struct lws *wsi)
{
    enum refusal why = why_no_handshake(wsi);
    return why == REFUSALS ? 0 : refuse(wsi, why);
}

/* The cursor of the query; its bytes are NULL when there is none. libwebsockets looks no further than an argument
 * that is too long for the buffer. */
static struct text handshake_cursor(struct lws *wsi, char *buffer, size_t size)
{
    return text_of(lws_get_urlarg_by_name(wsi, "cursor=", buffer, (int)size));
}

/* The address of the client: the peer's, or what a trusted proxy says of it. */
static struct net_address handshake_client(struct lws *wsi, struct net_address peer)
{
    char value[HEADER_BYTES];
    const struct front *front = front_of(wsi);
    struct net_address client = {0};
    if (is_proxy(front, peer)) /* libwebsockets joins several fields with commas */
        forwarded_read(&front->relay->config->trusted_proxies,
                       text_of(header(wsi, WSI_TOKEN_X_FORWARDED_FOR, value, sizeof(value))), &client);
    return net_address_is_none(client) ? peer : client;
}

/* The guest becomes a session. */
static struct session *admit(struct lws *wsi, void *socket, struct stream *stream)
{
    struct front *front = front_of(wsi);
    struct guest *guest = guest_of(wsi);
    struct net_address client = handshake_client(wsi, guest->address);
    guest_free(front, guest);
    struct session *session = session_open(front->relay, socket, client, stream);
    lws_set_opaque_user_data(wsi, session);
    return session;
}

static void established(struct lws *wsi)
{
    char cursor[HEADER_BYTES], buffer[HEADER_BYTES];
    struct session *session = admit(wsi, wsi, NULL);
    struct text token = handshake_token(wsi, buffer, sizeof(buffer));
    bool given = token.size || lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_AUTHORIZATION);
    if (given && session->state == SESSION_WAITING)
        login_start(session, token, handshake_cursor(wsi, cursor, sizeof(cursor)), "");
}

/* ---- streams ---- */

static bool asks_for(struct lws *wsi, enum lws_token_indexes method, const char *path)
{
    char asked[sizeof(STREAM) + 1]; /* the longer one */
    return strcmp(header(wsi, method, asked, sizeof(asked)), path) == 0;
}

/* A response that ends the connection; the frame is dropped. */
static int respond(struct lws *wsi, struct frame *response)
{
    door_write(wsi, response->bytes, response->size);
    frame_drop(response);
    return -1;
}

static int refuse_stream(struct lws *wsi, enum refusal refusal)
{
    note_refusal(wsi, refusal);
    return respond(wsi, stream_refuse(refusal, front_of(wsi)->hsts_line));
}

/* What the page that asks may be told of: its origin, "*", or "" for none. False: it may not ask. */
static bool stream_origin(struct lws *wsi, char *out, size_t size)
{
    const struct config *config = front_of(wsi)->relay->config;
    char host[256];
    out[0] = '\0';
    if (!lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN))
        return true;
    if (!origin_allowed(config->allowed_origins, header(wsi, WSI_TOKEN_ORIGIN, out, size),
                        header(wsi, WSI_TOKEN_HOST, host, sizeof(host))))
        return false;
    const char *name = origin_to_name(config->allowed_origins, out);
    if (name != out)
        snprintf(out, size, "%s", name);
    return true;
}

/* What an EventSource read last, or where a program says it was. An empty header is none. */
static struct text stream_cursor(struct lws *wsi, char *buffer, size_t size)
{
    static const char name[] = "last-event-id:";
    int length = lws_hdr_custom_copy(wsi, buffer, (int)size, name, (int)sizeof(name) - 1);
    return length > 0 ? (struct text){buffer, (size_t)length} : handshake_cursor(wsi, buffer, size);
}

/* A page of another origin asks first, as its token is in a header (Fetch §4.8). */
static int answer_preflight(struct lws *wsi)
{
    char origin[512];
    if (!stream_origin(wsi, origin, sizeof(origin)))
        return refuse_stream(wsi, REFUSAL_ORIGIN);
    return respond(wsi, stream_preflight(origin, front_of(wsi)->hsts_line));
}

/* libwebsockets keeps the socket, and is to do nothing more with it: no polling, no timeout. */
static struct session *begin_stream(struct lws *wsi, const char *origin)
{
    struct front *front = front_of(wsi);
    struct stream_socket *socket =
        stream_socket_new(front->streams, lws_get_socket_fd(wsi), lws_get_ssl(wsi), wsi);
    struct session *session = admit(wsi, socket, stream_new(&stream_door, origin, front->hsts_line));
    door_read(wsi, false);
    lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
    if (!stream_socket_watch(socket, session->id))
        session_end(session, END_CAPACITY);
    return session;
}

static int open_stream(struct lws *wsi)
{
    char origin[512], buffer[HEADER_BYTES], last[HEADER_BYTES];
    if (!stream_origin(wsi, origin, sizeof(origin)))
        return refuse_stream(wsi, REFUSAL_ORIGIN);
    if (has_body(wsi))
        return refuse_stream(wsi, REFUSAL_BAD_REQUEST);
    struct text cursor = stream_cursor(wsi, last, sizeof(last));
    if (cursor.bytes && strcmp(cursor.bytes, EVENT_ID_CLOSED) == 0)
        return respond(wsi, stream_no_more(origin, front_of(wsi)->hsts_line));
    struct session *session = begin_stream(wsi, origin);
    struct text token = handshake_token(wsi, buffer, sizeof(buffer));
    if (session->state != SESSION_WAITING)
        ; /* ended already */
    else if (token.size || lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_AUTHORIZATION))
        login_start(session, token, cursor, "");
    else
        session_end(session, END_NO_TOKEN);
    /* There are 1024 places for the headers of all connections, and who keeps one for minutes is closed. */
    lws_http_headers_detach(wsi);
    return 0;
}

/* ---- plain requests ---- */

static int answer_http(struct lws *wsi)
{
    struct relay *relay = front_of(wsi)->relay;
    struct guest *guest = guest_of(wsi);
    if (!guest || !api_http_wants(wsi))
        return http_answer(relay, wsi);
    return api_http_start(relay, wsi, &guest->api, handshake_client(wsi, guest->address), guest->peer);
}

static int receive_body(struct lws *wsi, const char *bytes, size_t size)
{
    struct guest *guest = guest_of(wsi);
    return guest ? api_http_body(&guest->api, bytes, size) : 0;
}

static int end_body(struct lws *wsi)
{
    struct guest *guest = guest_of(wsi);
    return guest ? api_http_body_end(&guest->api) : 0;
}

static int answer_request(struct lws *wsi)
{
    if (asks_for(wsi, WSI_TOKEN_GET_URI, STREAM))
        return open_stream(wsi);
    if (asks_for(wsi, WSI_TOKEN_OPTIONS_URI, STREAM))
        return answer_preflight(wsi);
    if (asks_for(wsi, WSI_TOKEN_GET_URI, ENDPOINT))
        return refuse(wsi, REFUSAL_NOT_WEBSOCKET);
    return answer_http(wsi);
}

/* ---- requests that libwebsockets cannot read ---- */

static int begin_odd_request(struct lws *wsi)
{
    struct guest *guest = guest_of(wsi);
    if (!guest || guest->odd)
        return -1;
    guest->odd = odd_request_new();
    lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, HANDSHAKE_SECONDS);
    return 0;
}

/* Closing at once would lose the answer if there is more of the request than has been read. */
static int answer_and_leave(struct lws *wsi, const struct odd_answer *answer)
{
    note_refusal(wsi, answer->refusal);
    if (!door_write(wsi, (const uint8_t *)answer->bytes, answer->size) || door_busy(wsi))
        return -1;
    if (lws_get_ssl(wsi))
        tls_end_sending(lws_get_ssl(wsi));
    shutdown(lws_get_socket_fd(wsi), SHUT_WR);
    lws_set_timeout(wsi, PENDING_TIMEOUT_CLOSE_SEND, LEAVE_SECONDS);
    return 0;
}

static int receive_odd_request(struct lws *wsi, const char *bytes, size_t size)
{
    struct odd_answer answer;
    struct guest *guest = guest_of(wsi);
    if (!guest || !guest->odd ||
        !odd_request_take(guest->odd, bytes, size, front_of(wsi)->hsts_line, &answer))
        return -1;
    return answer.size ? answer_and_leave(wsi, &answer) : 0;
}

/* ---- frames in ---- */

static void receive(struct lws *wsi, struct session *session, const char *bytes, size_t size)
{
    size_t announced = lws_remaining_packet_payload(wsi);
    session_receive(session, bytes, size, lws_frame_is_binary(wsi) != 0,
                    lws_is_final_fragment(wsi) && announced == 0, announced);
}

static void gone(struct lws *wsi, struct session *session)
{
    lws_set_opaque_user_data(wsi, NULL);
    if (session->stream)
        stream_socket_free(session->socket);
    session_gone(session);
}

static int session_callback(struct lws *wsi, enum lws_callback_reasons reason, struct session *session,
                            const char *in, size_t size)
{
    switch (reason) {
    case LWS_CALLBACK_RECEIVE:
        receive(wsi, session, in, size);
        return 0;
    case LWS_CALLBACK_RECEIVE_PONG:
        session_heard(session);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        session_writable(session);
        return 0;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        /* libwebsockets answers it, unless it is the answer to ours: then we are done. */
        return session_peer_closes(session) ? 0 : -1;
    case LWS_CALLBACK_CLOSED:
        gone(wsi, session);
        return 0;
    default:
        return 0;
    }
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
    struct session *session;
    switch (reason) {
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
        tls_show(user, &front_of(wsi)->relay->tls);
        return !tls_harden(user);
    case LWS_CALLBACK_RAW_RX_FILE:
        accept_batch(front_of(wsi));
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        guest_free(front_of(wsi), guest_of(wsi));
        return 0;
    case LWS_CALLBACK_CLOSED_HTTP:
        session = session_of(wsi);
        if (session)
            gone(wsi, session);
        return 0;
    case LWS_CALLBACK_RAW_ADOPT: /* CONNECT is handed over as well */
        return begin_odd_request(wsi);
    case LWS_CALLBACK_RAW_RX:
        return receive_odd_request(wsi, in, size);
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return confirm_upgrade(wsi, in);
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return check_handshake(wsi);
    case LWS_CALLBACK_ESTABLISHED:
        established(wsi);
        return 0;
    case LWS_CALLBACK_HTTP:
        return answer_request(wsi);
    case LWS_CALLBACK_HTTP_BODY:
        return receive_body(wsi, in, size);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return end_body(wsi);
    case LWS_CALLBACK_RECEIVE:
    case LWS_CALLBACK_RECEIVE_PONG:
    case LWS_CALLBACK_SERVER_WRITEABLE:
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
    case LWS_CALLBACK_CLOSED:
        session = session_of(wsi);
        return session ? session_callback(wsi, reason, session, in, size) : 0;
    default:
        return 0;
    }
}

/* Without it libwebsockets keeps a sorted list of ping timers, and accepting gets slower with
 * every connection. */
static const lws_retry_bo_t no_keepalive = {0};

/* Version 4.3 wants to watch the machine's routes, to close what has none any more. The service may not
 * (RestrictAddressFamilies=), and need not: its clients' heartbeats tell. */
static bool is_about_netlink(const char *line)
{
    return strstr(line, "unable to open netlink") != NULL;
}

static void on_log(int level, const char *line)
{
    enum log_level ours = level == LLL_ERR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN;
    log_write(is_about_netlink(line) ? LOG_LEVEL_DEBUG : ours, "libwebsockets",
              LOG_STRN("message", line, strcspn(line, "\n")));
}

/* RFC 6797 §6.1. libwebsockets adds it to the responses that it makes, refusals of its own among them. */
static void use_hsts(struct front *front, struct lws_context_creation_info *info)
{
    int max_age_s = front->relay->config->hsts_s;
    if (!max_age_s)
        return;
    snprintf(front->hsts_value, sizeof(front->hsts_value), "max-age=%d", max_age_s);
    snprintf(front->hsts_line, sizeof(front->hsts_line), "Strict-Transport-Security: %s\r\n", front->hsts_value);
    front->hsts = (struct lws_protocol_vhost_options){.name = "strict-transport-security:", .value = front->hsts_value};
    info->headers = &front->hsts;
}

static struct lws_context *context_new(struct front *front)
{
    const struct config *config = front->relay->config;
    void *loops[] = {front->relay->loop};
    front->protocols[0] = (struct lws_protocols){.name = "pgherald.v1",
                                                 .callback = on_event,
                                                 .rx_buffer_size = config->tls_cert ? TLS_RX_BYTES : RX_BYTES,
                                                 .tx_packet_size = WRITE_BYTES};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_VALIDATE_UTF8 |
                   LWS_SERVER_OPTION_FALLBACK_TO_APPLY_LISTEN_ACCEPT_CONFIG, /* see RAW_ADOPT */
        .foreign_loops = loops,
        .protocols = front->protocols,
        .user = front,
        .server_string = "pgherald",
        .vhost_name = "pgherald",
        .max_http_header_data = HEADER_BYTES,
        .max_http_header_pool = 1024,
        .pt_serv_buf_size = HEADER_BYTES,
        .timeout_secs = HANDSHAKE_SECONDS,
        .keepalive_timeout = HANDSHAKE_SECONDS,
        .retry_and_idle_policy = &no_keepalive,
    };
    if (config->tls_cert) {
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        info.ssl_cert_filepath = config->tls_cert;
        info.ssl_private_key_filepath = config->tls_key;
        info.alpn = "http/1.1"; /* frames are written as those of RFC 6455, not of RFC 8441 */
        use_hsts(front, &info);
    }
    lws_set_log_level(LLL_ERR, on_log);
    return lws_create_context(&info);
}

struct front *front_new(struct relay *relay, int listen_fd)
{
    struct front *front = memory_zero(sizeof(*front));
    front->relay = relay;
    front->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    front->listen_fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 0); /* libwebsockets closes what it adopts */
    front->context = context_new(front);
    if (!front->context)
        return NULL;
    front->vhost = lws_get_vhost_by_name(front->context, "pgherald");
    front->intake = proxy_intake_new(relay, to_doorman, front);
    front->doorman = doorman_new(relay, ENDPOINT, adopt, front);
    front->streams = stream_sockets_new(relay, door_kill);
    if (!front->streams)
        return NULL;
    lws_sock_file_fd_type fd = {.filefd = front->listen_fd};
    front->listener =
        lws_adopt_descriptor_vhost(front->vhost, LWS_ADOPT_RAW_FILE_DESC, fd, front->protocols[0].name, NULL);
    return front->listener ? front : NULL;
}

void front_stop_accepting(struct front *front)
{
    if (front->listen_fd < 0)
        return;
    front->listen_fd = -1;
    lws_set_timeout(front->listener, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_SYNC);
}

void front_close(struct front *front)
{
    proxy_intake_close(front->intake);
    doorman_close(front->doorman);
    stream_sockets_close(front->streams);
    lws_context_destroy(front->context);
}

void front_free(struct front *front)
{
    lws_context_destroy(front->context); /* the second half, once its handles are closed */
    doorman_free(front->doorman);
    stream_sockets_free(front->streams);
    proxy_intake_free(front->intake);
    close(front->spare_fd);
    free(front);
}
