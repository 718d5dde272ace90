/* The floors: what a link costs at least with these libraries.
 *
 *   F1  bare libuv, the same AEAD, the messages of a loop turn sealed together and written at once,
 *       raw payloads. No handshake, no limits, no queues, no checks, fixed keys.
 *   F2  F1, and each payload is a LEASE or RESULT packed by msgpack-c and read by our bounded
 *       reader.
 *
 * Minimal on purpose: a buffer per connection, no back-pressure (the load is closed-loop). */
#include "tests/bench/bench_link.h"

#include "link/record.h"
#include "wire/decode.h"

#include <arpa/inet.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

/* Room for all messages in flight: 256 of 16 KiB, sealed and not. */
#define BUFFER_BYTES  ((size_t)8 << 20)
#define READ_BYTES    (128u << 10)
#define RECORD_TARGET (16u << 10) /* as ours, and so is the next: the peer opens while we seal */
#define WRITE_TARGET  (64u << 10)
#define HEADER_BYTES  6 /* length u16, slot u32 */

struct floor_peer {
    uv_tcp_t handle;
    uv_write_t request;
    struct floor_end *end;
    struct p2_record_cipher send;
    struct p2_record_cipher receive;
    uint8_t *plain; /* messages of this turn */
    uint8_t *sealed;
    uint8_t *input; /* unread bytes */
    size_t plain_size;
    size_t plain_at; /* sealed until here */
    size_t input_size;
    bool is_writing;
};

/* A process's side: driver (load is set) or peer. */
struct floor_end {
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_check_t check;
    uv_prepare_t prepare;
    uv_connect_t connect;
    struct bench_load *load;
    const struct bench_case *bench;
    struct floor_peer *peers[BENCH_PEERS_MAX];
    unsigned count;
    bool has_msgpack;
    uint8_t payload[65536];
};

static void flush_peer(struct floor_peer *peer);

/* ---- messages ---------------------------------------------------------------------------------- */

static int pack_write(void *data, const char *bytes, size_t size)
{
    struct p2_writer *writer = data;
    p2_writer_bytes(writer, p2_span(bytes, size));
    return writer->error;
}

static size_t pack_lease(struct floor_end *end, uint8_t *out, uint32_t slot)
{
    struct p2_writer writer;
    msgpack_packer packer;
    p2_writer_init(&writer, out, 65536);
    msgpack_packer_init(&packer, &writer, pack_write);
    (void)msgpack_pack_array(&packer, 8);
    (void)msgpack_pack_uint64(&packer, slot + UINT64_C(1));
    (void)msgpack_pack_uint8(&packer, 0);
    (void)msgpack_pack_uint32(&packer, 1);
    (void)msgpack_pack_uint8(&packer, 0);
    (void)msgpack_pack_uint32(&packer, 10000);
    (void)msgpack_pack_uint32(&packer, end->bench->rep_bytes);
    (void)msgpack_pack_array(&packer, 0);
    (void)msgpack_pack_bin(&packer, end->bench->req_bytes);
    (void)msgpack_pack_bin_body(&packer, end->payload, end->bench->req_bytes);
    return writer.size;
}

static size_t pack_result(struct floor_end *end, uint8_t *out, uint64_t id)
{
    struct p2_writer writer;
    msgpack_packer packer;
    p2_writer_init(&writer, out, 65536);
    msgpack_packer_init(&packer, &writer, pack_write);
    (void)msgpack_pack_array(&packer, 5);
    (void)msgpack_pack_uint64(&packer, id);
    (void)msgpack_pack_uint8(&packer, 0);
    (void)msgpack_pack_uint8(&packer, 0);
    (void)msgpack_pack_uint32(&packer, 5);
    (void)msgpack_pack_bin(&packer, end->bench->rep_bytes);
    (void)msgpack_pack_bin_body(&packer, end->payload, end->bench->rep_bytes);
    return writer.size;
}

/* Appends one message to the turn's bytes. */
static void queue_message(struct floor_peer *peer, uint32_t slot, bool is_request)
{
    struct floor_end *end = peer->end;
    size_t size = is_request ? end->bench->req_bytes : end->bench->rep_bytes;
    if (peer->plain_size + HEADER_BYTES + 65536 > BUFFER_BYTES) {
        peer->plain_size -= peer->plain_at;
        memmove(peer->plain, peer->plain + peer->plain_at, peer->plain_size);
        peer->plain_at = 0;
    }
    if (peer->plain_size + HEADER_BYTES + 65536 > BUFFER_BYTES) {
        bench_die("too much in flight for the floor");
    }
    uint8_t *out = peer->plain + peer->plain_size;
    if (end->has_msgpack) {
        size = is_request ? pack_lease(end, out + HEADER_BYTES, slot)
                          : pack_result(end, out + HEADER_BYTES, slot + UINT64_C(1));
    } else {
        memcpy(out + HEADER_BYTES, end->payload, size);
    }
    p2_store_be16(out, (uint16_t)size);
    p2_store_be32(out + 2, slot);
    peer->plain_size += HEADER_BYTES + size;
}

static void take_message(struct floor_peer *peer, uint32_t slot, struct p2_span body)
{
    struct floor_end *end = peer->end;
    int error = P2_OK;
    if (end->load != NULL) {
        struct p2_msg_result result;
        if (end->has_msgpack) {
            error = p2_wire_decode_result(&result, body);
            slot = error == P2_OK ? (uint32_t)(result.id - 1) : 0;
        }
        if (error == P2_OK) {
            bench_load_reply(end->load, peer, slot, end->has_msgpack ? result.output : body);
        }
    } else {
        struct p2_msg_lease lease;
        if (end->has_msgpack) {
            error = p2_wire_decode_lease(&lease, body);
            slot = error == P2_OK ? (uint32_t)(lease.id - 1) : 0;
        }
        queue_message(peer, slot, false);
    }
    if (error != P2_OK) {
        bench_die(p2_error_text(error));
    }
}

/* ---- network ----------------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct floor_peer *peer = handle->data;
    (void)suggested;
    *buffer = uv_buf_init((char *)peer->input + peer->input_size, READ_BYTES);
}

static void take_record(struct floor_peer *peer, uint8_t *record, size_t size)
{
    if (p2_record_open(&peer->receive, record, record, size) != P2_OK) {
        bench_die("a record does not open");
    }
    size -= P2_TAG_BYTES;
    for (size_t at = 0; at < size;) {
        size_t length = p2_load_be16(record + at);
        take_message(peer, p2_load_be32(record + at + 2),
                     p2_span(record + at + HEADER_BYTES, length));
        at += HEADER_BYTES + length;
    }
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    struct floor_peer *peer = stream->data;
    (void)buffer;
    if (got < 0) {
        uv_stop(&peer->end->loop);
        return;
    }
    peer->input_size += (size_t)got;
    size_t at = 0;
    while (peer->input_size - at >= P2_RECORD_HEADER_BYTES) {
        size_t length = p2_load_be16(peer->input + at);
        if (peer->input_size - at - P2_RECORD_HEADER_BYTES < length) {
            break;
        }
        take_record(peer, peer->input + at + P2_RECORD_HEADER_BYTES, length);
        at += P2_RECORD_HEADER_BYTES + length;
    }
    memmove(peer->input, peer->input + at, peer->input_size - at);
    peer->input_size -= at;
}

static void on_written(uv_write_t *request, int status)
{
    struct floor_peer *peer = request->data;
    peer->is_writing = false;
    if (status == 0) {
        flush_peer(peer);
    }
}

/* Seals the next WRITE_TARGET bytes or so; returns the sealed size. */
static size_t seal_some(struct floor_peer *peer)
{
    size_t out = 0;
    while (peer->plain_at < peer->plain_size && out < WRITE_TARGET) {
        size_t size = 0;
        while (peer->plain_at + size < peer->plain_size && size < RECORD_TARGET) {
            size += HEADER_BYTES + p2_load_be16(peer->plain + peer->plain_at + size);
        }
        (void)p2_record_seal(&peer->send, peer->sealed + out, peer->plain + peer->plain_at, size);
        out += size + P2_RECORD_OVERHEAD;
        peer->plain_at += size;
    }
    return out;
}

static void flush_peer(struct floor_peer *peer)
{
    while (peer->plain_at < peer->plain_size && !peer->is_writing) {
        size_t out = seal_some(peer);
        uv_buf_t buffer = uv_buf_init((char *)peer->sealed, (unsigned)out);
        int written = uv_try_write((uv_stream_t *)&peer->handle, &buffer, 1);
        written = written < 0 ? 0 : written;
        if ((size_t)written < out) {
            buffer = uv_buf_init((char *)peer->sealed + written, (unsigned)(out - (size_t)written));
            peer->is_writing = true;
            (void)uv_write(&peer->request, (uv_stream_t *)&peer->handle, &buffer, 1, on_written);
        }
    }
    if (peer->plain_at == peer->plain_size) {
        peer->plain_at = 0;
        peer->plain_size = 0;
    }
}

static void on_check(uv_check_t *check)
{
    struct floor_end *end = check->data;
    for (unsigned i = 0; i < end->count; i++) {
        flush_peer(end->peers[i]);
    }
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct floor_end *end = prepare->data;
    for (unsigned i = 0; i < end->count; i++) {
        flush_peer(end->peers[i]);
    }
}

static struct floor_peer *new_peer(struct floor_end *end)
{
    static const uint8_t key[P2_KEY_BYTES] = {1};
    struct floor_peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL || (peer->plain = malloc(BUFFER_BYTES)) == NULL ||
        (peer->sealed = malloc(WRITE_TARGET + P2_RECORD_BYTES_MAX + RECORD_TARGET)) == NULL ||
        (peer->input = malloc(READ_BYTES + P2_RECORD_BYTES_MAX)) == NULL ||
        p2_record_init(&peer->send, end->bench->cipher, key) != P2_OK ||
        p2_record_init(&peer->receive, end->bench->cipher, key) != P2_OK) {
        bench_die("a peer of the floor");
    }
    peer->end = end;
    peer->handle.data = peer;
    peer->request.data = peer;
    (void)uv_tcp_init(&end->loop, &peer->handle);
    end->peers[end->count++] = peer;
    return peer;
}

static void start_reading(struct floor_peer *peer)
{
    (void)uv_tcp_nodelay(&peer->handle, 1);
    (void)uv_read_start((uv_stream_t *)&peer->handle, on_alloc, on_read);
}

static struct floor_end *new_end(const struct bench_case *bench, bool has_msgpack)
{
    struct floor_end *end = calloc(1, sizeof *end);
    if (end == NULL || uv_loop_init(&end->loop) != 0) {
        bench_die("a loop");
    }
    end->bench = bench;
    end->has_msgpack = has_msgpack;
    (void)uv_check_init(&end->loop, &end->check);
    (void)uv_prepare_init(&end->loop, &end->prepare);
    end->check.data = end;
    end->prepare.data = end;
    (void)uv_check_start(&end->check, on_check);
    (void)uv_prepare_start(&end->prepare, on_prepare);
    return end;
}

/* ---- driver and peer --------------------------------------------------------------------------- */

static void send_request(void *peer, uint32_t slot)
{
    queue_message(peer, slot, true);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct floor_end *end = stream->data;
    struct floor_peer *peer = new_peer(end);
    if (status != 0 || uv_accept(stream, (uv_stream_t *)&peer->handle) != 0) {
        bench_die("accept");
    }
    start_reading(peer);
    bench_load_ready(end->load, peer);
}

static void stop(struct bench_load *load)
{
    struct floor_end *end = load->ctx;
    uv_stop(&end->loop);
}

static void drive(struct bench_load *load, bool has_msgpack)
{
    struct floor_end *end = new_end(load->bench, has_msgpack);
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int size = sizeof where;
    load->send = send_request;
    load->stop = stop;
    load->ctx = end;
    end->load = load;
    end->listener.data = end;
    (void)uv_tcp_init(&end->loop, &end->listener);
    if (uv_tcp_bind(&end->listener, (const struct sockaddr *)&where, 0) != 0 ||
        uv_listen((uv_stream_t *)&end->listener, 16, on_connection) != 0 ||
        uv_tcp_getsockname(&end->listener, (struct sockaddr *)&where, &size) != 0) {
        bench_die("listen");
    }
    load->publish(load, ntohs(where.sin_port));
    (void)uv_run(&end->loop, UV_RUN_DEFAULT);
    for (unsigned i = 0; i < end->count; i++) {
        uv_os_fd_t fd;
        if (uv_fileno((uv_handle_t *)&end->peers[i]->handle, &fd) == 0) {
            (void)close(fd); /* the process ends next: the peers must see it now */
        }
    }
}

static void on_connect(uv_connect_t *request, int status)
{
    if (status != 0) {
        bench_die("connect");
    }
    start_reading(request->data);
}

static void serve(const struct bench_case *bench, uint16_t port, bool has_msgpack)
{
    struct floor_end *end = new_end(bench, has_msgpack);
    struct floor_peer *peer = new_peer(end);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    end->connect.data = peer;
    if (uv_tcp_connect(&end->connect, &peer->handle, (const struct sockaddr *)&to, on_connect) !=
        0) {
        bench_die("connect");
    }
    (void)uv_run(&end->loop, UV_RUN_DEFAULT);
}

static void drive_1(struct bench_load *load)
{
    drive(load, false);
}

static void serve_1(const struct bench_case *bench, uint16_t port)
{
    serve(bench, port, false);
}

static void drive_2(struct bench_load *load)
{
    drive(load, true);
}

static void serve_2(const struct bench_case *bench, uint16_t port)
{
    serve(bench, port, true);
}

const struct bench_system bench_floor_1 = {"F1", drive_1, serve_1};
const struct bench_system bench_floor_2 = {"F2", drive_2, serve_2};
