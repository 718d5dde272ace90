/* Export and import of a world. */
#include "store/save_file.h"

#include "base/text.h"
#include "store/codec.h"

#include <stdlib.h>
#include <string.h>

static const char magic[8] = {'P', '2', 'C', '2', 'R', 'S', 'A', 'V'};

#define LAYOUT    1
#define HEAD_MAX  (36 + 2 * (1 + P2_SNAPSHOT_NAME_MAX) + 32)
#define DIGEST    32
#define FRAME_MAX P2_CODEC_FRAME_MAX(P2_SNAPSHOT_CHUNK)

_Static_assert(P2_SNAPSHOT_CHUNK <= P2_ZSTD_CONTENT_MAX, "a chunk must fit a frame");
_Static_assert(P2_SNAPSHOT_WORLD_MAX <= UINT32_MAX, "a world's size is a u32");

static void digest(uint8_t out[DIGEST], struct p2_span bytes)
{
    p2_hash(out, DIGEST, &bytes, 1);
}

static size_t chunk_size(size_t world, size_t offset)
{
    return world - offset < P2_SNAPSHOT_CHUNK ? world - offset : P2_SNAPSHOT_CHUNK;
}

/* ---- writing -------------------------------------------------------------------------------------- */

static bool is_text(const char *text, size_t min)
{
    size_t length = strnlen(text, P2_SNAPSHOT_NAME_MAX + 1);
    return length >= min && length <= P2_SNAPSHOT_NAME_MAX &&
           p2_text_is_clean(p2_span(text, length));
}

static void write_text(struct p2_writer *out, const char *text)
{
    p2_writer_u8(out, (uint8_t)strlen(text));
    p2_writer_bytes(out, p2_span(text, strlen(text)));
}

static int write_chunk(struct p2_chunk_codec *codec, struct p2_buf *out, struct p2_span content,
                       uint8_t *frame)
{
    uint8_t head[4 + DIGEST];
    size_t size = 0;
    int error = p2_codec_compress(codec, content, frame, &size);
    if (error == P2_OK) {
        p2_store_be32(head, (uint32_t)size);
        digest(head + 4, content);
        error = p2_buf_append(out, p2_span(head, sizeof head));
    }
    return error == P2_OK ? p2_buf_append(out, p2_span(frame, size)) : error;
}

int p2_save_file_write(struct p2_buf *out, const struct p2_save_head *head, struct p2_span world)
{
    uint8_t bytes[HEAD_MAX], sum[DIGEST];
    struct p2_writer writer;
    if (!is_text(head->name, 0) || !is_text(head->game, 1) || world.size > P2_SNAPSHOT_WORLD_MAX) {
        return P2_E_INVALID;
    }
    p2_writer_init(&writer, bytes, sizeof bytes);
    p2_writer_bytes(&writer, p2_span(magic, sizeof magic));
    p2_writer_u16(&writer, LAYOUT);
    p2_writer_u16(&writer, 0);
    p2_writer_u64(&writer, head->frame);
    p2_writer_u64(&writer, head->made_ms);
    p2_writer_u32(&writer, (uint32_t)world.size);
    p2_writer_u32(&writer, head->schema);
    write_text(&writer, head->name);
    write_text(&writer, head->game);
    digest(sum, p2_writer_span(&writer));
    p2_writer_bytes(&writer, p2_span(sum, sizeof sum));
    P2_ASSERT(writer.error == P2_OK); /* HEAD_MAX has room for the longest */
    struct p2_chunk_codec codec;
    p2_codec_init(&codec);
    uint8_t *frame = malloc(FRAME_MAX);
    int error = frame == NULL ? P2_E_NOMEM : p2_buf_append(out, p2_writer_span(&writer));
    for (size_t at = 0; at < world.size && error == P2_OK; at += P2_SNAPSHOT_CHUNK) {
        error =
            write_chunk(&codec, out, p2_span(world.data + at, chunk_size(world.size, at)), frame);
    }
    free(frame);
    p2_codec_free(&codec);
    return error;
}

/* ---- reading -------------------------------------------------------------------------------------- */

static int read_text(struct p2_reader *in, size_t min, char text[P2_SNAPSHOT_NAME_MAX + 1])
{
    struct p2_span bytes = p2_reader_bytes(in, p2_reader_u8(in));
    if (in->error != P2_OK) {
        return in->error;
    }
    if (bytes.size < min || bytes.size > P2_SNAPSHOT_NAME_MAX) {
        return P2_E_TOO_BIG;
    }
    if (!p2_text_is_clean(bytes)) {
        return P2_E_BAD_TEXT;
    }
    memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = '\0';
    return P2_OK;
}

/* Everything up to the first chunk. */
static int read_head(struct p2_reader *in, struct p2_save_head *head, uint32_t *ret_world)
{
    const uint8_t *start = in->data;
    struct p2_span word = p2_reader_bytes(in, sizeof magic);
    if (in->error != P2_OK || memcmp(word.data, magic, sizeof magic) != 0) {
        return P2_E_BAD_MAGIC;
    }
    uint16_t version = p2_reader_u16(in), reserved = p2_reader_u16(in);
    if (in->error == P2_OK && version != LAYOUT) {
        return P2_E_BAD_VERSION;
    }
    head->frame = p2_reader_u64(in);
    head->made_ms = p2_reader_u64(in);
    *ret_world = p2_reader_u32(in);
    head->schema = p2_reader_u32(in);
    int error = read_text(in, 0, head->name);
    if (error == P2_OK) {
        error = read_text(in, 1, head->game);
    }
    if (error != P2_OK) {
        return error;
    }
    struct p2_span covered = p2_span(start, (size_t)(in->data - start));
    struct p2_span sum = p2_reader_bytes(in, DIGEST);
    uint8_t expected[DIGEST];
    if (in->error != P2_OK) {
        return in->error;
    }
    digest(expected, covered);
    if (memcmp(expected, sum.data, DIGEST) != 0) {
        return P2_E_CHECKSUM;
    }
    return reserved == 0 ? P2_OK : P2_E_MALFORMED;
}

static int read_chunk(struct p2_chunk_codec *codec, struct p2_reader *in, uint8_t *content,
                      size_t size)
{
    uint32_t frame_size = p2_reader_u32(in);
    struct p2_span sum = p2_reader_bytes(in, DIGEST);
    if (in->error == P2_OK && frame_size > P2_CODEC_FRAME_MAX(size)) {
        return P2_E_TOO_BIG;
    }
    struct p2_span frame = p2_reader_bytes(in, frame_size);
    uint8_t actual[DIGEST];
    if (in->error != P2_OK) {
        return in->error;
    }
    int error = p2_codec_decompress(codec, frame, content, size);
    if (error != P2_OK) {
        return error;
    }
    digest(actual, p2_span(content, size));
    return memcmp(actual, sum.data, DIGEST) == 0 ? P2_OK : P2_E_CHECKSUM;
}

static int read_world(struct p2_reader *in, size_t size, struct p2_buf *world)
{
    /* Chunk by chunk: a file that only claims to be large makes nothing large. */
    struct p2_chunk_codec codec;
    p2_codec_init(&codec);
    uint8_t *content = malloc(P2_SNAPSHOT_CHUNK);
    int error = content == NULL ? P2_E_NOMEM : P2_OK;
    for (size_t at = 0; at < size && error == P2_OK; at += P2_SNAPSHOT_CHUNK) {
        size_t part = chunk_size(size, at);
        error = read_chunk(&codec, in, content, part);
        if (error == P2_OK) {
            error = p2_buf_append(world, p2_span(content, part));
        }
    }
    free(content);
    p2_codec_free(&codec);
    return error == P2_OK ? p2_reader_end(in) : error;
}

int p2_save_file_read(struct p2_span file, size_t world_max, struct p2_save_head *ret_head,
                      struct p2_buf *world, struct p2_failure *failure)
{
    struct p2_reader in;
    struct p2_save_head head = {0};
    uint32_t size = 0;
    p2_buf_clear(world);
    p2_reader_init(&in, file);
    int error = read_head(&in, &head, &size);
    if (error == P2_OK && (size > world_max || size > P2_SNAPSHOT_WORLD_MAX)) {
        error = P2_E_TOO_BIG;
    }
    if (error == P2_OK) {
        error = read_world(&in, size, world);
    }
    if (error != P2_OK) {
        p2_buf_clear(world);
        return p2_fail(failure, error, "this save cannot be used: %s (byte %zu of %zu)",
                       p2_error_text(error), file.size - in.left, file.size);
    }
    *ret_head = head;
    return P2_OK;
}
