/* What a key has done: the sanctions table of DESIGN 9. */
#include "authority/trust/reputation.h"

#include <string.h>

/* ---- events ------------------------------------------------------------------------------------ */

void p2_reputation_init(struct p2_reputation *rep, const struct p2_id *id, uint64_t now_s)
{
    memset(rep, 0, sizeof *rep);
    rep->id = *id;
    rep->score = P2_SCORE_START;
    rep->first_s = rep->last_s = now_s;
}

/* The newest fault of that cause and lease that is still held, or NULL. */
static struct p2_fault *find_fault(struct p2_reputation *rep, enum p2_fault_cause cause,
                                   uint64_t lease)
{
    uint32_t held = rep->faults < P2_EVIDENCE_MAX ? rep->faults : P2_EVIDENCE_MAX;
    for (uint32_t i = 1; i <= held; i++) {
        struct p2_fault *fault = &rep->evidence[(rep->faults - i) % P2_EVIDENCE_MAX];
        if (fault->cause == cause && fault->lease == lease) {
            return fault;
        }
    }
    return NULL;
}

static uint32_t confirmed_in_window(const struct p2_reputation *rep, uint64_t now_s)
{
    uint32_t held = rep->confirmed < P2_CONFIRMED_MAX + 1 ? rep->confirmed : P2_CONFIRMED_MAX + 1;
    uint32_t count = 0;
    for (uint32_t i = 0; i < held; i++) {
        count += now_s - rep->confirmed_s[i] <= P2_CONFIRMED_S ? 1 : 0;
    }
    return count;
}

static void ban(struct p2_reputation *rep, uint64_t now_s)
{
    static const uint64_t lengths_s[] = {P2_BAN_FIRST_S, P2_BAN_SECOND_S};
    rep->banned_until_s =
        rep->bans < P2_COUNT_OF(lengths_s) ? now_s + lengths_s[rep->bans] : P2_BAN_FOR_GOOD;
    if (rep->bans < UINT8_MAX) {
        rep->bans++;
    }
    rep->is_untrusted = true;
}

static void start_anew(struct p2_reputation *rep)
{
    for (uint32_t k = 0; k < P2_CORE_KERNELS_MAX; k++) {
        rep->kernels[k].n = 0;
    }
}

/* What the table says about the score alone. */
static int16_t change_of(struct p2_reputation *rep, const struct p2_fault *fault)
{
    const struct p2_fault *refused = find_fault(rep, P2_FAULT_REFUSED, fault->lease);
    switch (fault->cause) {
    case P2_FAULT_REFUSED:
        return P2_SCORE_REFUSED;
    case P2_FAULT_INSIDE:
        return P2_SCORE_INSIDE;
    case P2_FAULT_OUTSIDE: /* its check cost something already */
        return (int16_t)(P2_SCORE_OUTSIDE - (refused != NULL ? refused->change : 0));
    case P2_FAULT_TAKEN_BACK:
        return (int16_t)(refused != NULL ? -refused->change : 0);
    case P2_FAULT_PROTOCOL:
    case P2_FAULT_CAUSES:
        break;
    }
    return 0;
}

static void note(struct p2_reputation *rep, const struct p2_fault *fault, int16_t change,
                 uint64_t now_s)
{
    struct p2_fault *slot = &rep->evidence[rep->faults % P2_EVIDENCE_MAX];
    rep->faults++;
    *slot = *fault;
    slot->at_s = now_s;
    slot->change = change;
    int32_t score = rep->score + change;
    score = score > P2_SCORE_MAX ? P2_SCORE_MAX : score < INT16_MIN ? INT16_MIN : score;
    rep->score = (int16_t)score;
}

struct p2_judgement p2_reputation_fault(struct p2_reputation *rep, const struct p2_fault *fault,
                                        uint64_t now_s)
{
    struct p2_judgement judgement = {.change = change_of(rep, fault)};
    rep->last_s = now_s;
    if (fault->cause == P2_FAULT_TAKEN_BACK && judgement.change == 0) {
        return judgement; /* nothing was taken */
    }
    note(rep, fault, judgement.change, now_s);
    rep->refused += fault->cause == P2_FAULT_REFUSED ? 1 : 0;
    rep->protocol += fault->cause == P2_FAULT_PROTOCOL ? 1 : 0;
    if (fault->cause == P2_FAULT_TAKEN_BACK && rep->refused > 0) {
        rep->refused--;
    }
    if (fault->cause == P2_FAULT_INSIDE || fault->cause == P2_FAULT_OUTSIDE) {
        rep->confirmed_s[rep->confirmed % (P2_CONFIRMED_MAX + 1)] = now_s;
        rep->confirmed++;
        if (fault->kernel < P2_CORE_KERNELS_MAX) {
            rep->kernels[fault->kernel].confirmed++;
        }
        start_anew(rep);
        judgement.must_forfeit = judgement.must_backtrace = true;
    }
    /* What is found while it is banned belongs to the same incident. */
    bool is_out = rep->is_untrusted && now_s < rep->banned_until_s;
    if (!is_out && confirmed_in_window(rep, now_s) > P2_CONFIRMED_MAX && judgement.must_forfeit) {
        judgement.why = "more than 3 wrong results in 30 days";
    } else if (!is_out && rep->score <= 0 && judgement.change < 0) {
        judgement.why = "its score fell to 0";
    }
    if (judgement.why != NULL) {
        ban(rep, now_s);
        judgement.is_banned = true;
    }
    return judgement;
}

void p2_reputation_good(struct p2_reputation *rep, uint8_t kernel, uint64_t tasks, bool is_compared)
{
    struct p2_kernel_record *record = &rep->kernels[kernel];
    record->n += tasks;
    record->tasks += tasks;
    record->audits += is_compared ? tasks : 0;
}

void p2_reputation_cleared(struct p2_reputation *rep, uint64_t tasks)
{
    rep->cleared += tasks;
    uint64_t more = rep->cleared / P2_SCORE_TASKS;
    rep->cleared %= P2_SCORE_TASKS;
    if (more > P2_SCORE_MAX) {
        more = P2_SCORE_MAX;
    }
    int32_t score = rep->score + (int32_t)more;
    rep->score = (int16_t)(score > P2_SCORE_MAX ? P2_SCORE_MAX : score);
}

void p2_reputation_pardon(struct p2_reputation *rep)
{
    if (rep->is_untrusted) {
        rep->is_untrusted = false;
        rep->banned_until_s = 0;
        rep->score = P2_SCORE_RETURN;
        start_anew(rep);
    }
}

bool p2_reputation_is_banned(struct p2_reputation *rep, uint64_t now_s)
{
    if (rep->is_untrusted && now_s >= rep->banned_until_s &&
        rep->banned_until_s != P2_BAN_FOR_GOOD) {
        p2_reputation_pardon(rep);
    }
    return rep->is_untrusted;
}

const char *p2_fault_cause_name(enum p2_fault_cause cause)
{
    static const char *const names[P2_FAULT_CAUSES] = {
        [P2_FAULT_REFUSED] = "check-failed",      [P2_FAULT_INSIDE] = "wrong-plausible",
        [P2_FAULT_OUTSIDE] = "wrong-implausible", [P2_FAULT_PROTOCOL] = "protocol",
        [P2_FAULT_TAKEN_BACK] = "taken-back",
    };
    return cause < P2_FAULT_CAUSES ? names[cause] : "unknown";
}

/* ---- as stored --------------------------------------------------------------------------------- */

/*   0   1  version                       then per kernel with work or faults:
 *   1  32  id                               1  length of the name, n  name
 *   33  2  score, two's complement          8  n, 8  tasks, 8  audits, 4  confirmed
 *   35  1  1: untrusted                  1  number of faults kept, oldest first; each:
 *   36  1  bans                             8  at_s, 8  lease, 8  forfeited_nd
 *   37  8  banned_until_s                   1  place of its kernel above, 255: none
 *   45  8  first_s, 8  last_s, 8  cleared   1  cause, 2  change
 *   69 32  confirmed_s[4]                   16 input, 16 expected, 16 got
 *  101 16  confirmed, refused, protocol, faults
 *  117  1  number of kernels  */

#define NO_KERNEL 255u

static bool is_worth(const struct p2_reputation *rep, uint32_t kernel)
{
    if (rep->kernels[kernel].tasks > 0 || rep->kernels[kernel].confirmed > 0) {
        return true;
    }
    for (uint32_t i = 0; i < P2_EVIDENCE_MAX && i < rep->faults; i++) {
        if (rep->evidence[i].kernel == kernel) {
            return true;
        }
    }
    return false;
}

static void write_fault(struct p2_writer *writer, const struct p2_fault *fault,
                        const uint8_t places[P2_CORE_KERNELS_MAX])
{
    p2_writer_u64(writer, fault->at_s);
    p2_writer_u64(writer, fault->lease);
    p2_writer_u64(writer, fault->forfeited_nd);
    p2_writer_u8(writer, fault->kernel < P2_CORE_KERNELS_MAX ? places[fault->kernel] : NO_KERNEL);
    p2_writer_u8(writer, (uint8_t)fault->cause);
    p2_writer_u16(writer, (uint16_t)fault->change);
    p2_writer_bytes(writer, p2_span(fault->input, P2_DIGEST_BYTES));
    p2_writer_bytes(writer, p2_span(fault->expected, P2_DIGEST_BYTES));
    p2_writer_bytes(writer, p2_span(fault->got, P2_DIGEST_BYTES));
}

static void write_head(struct p2_writer *writer, const struct p2_reputation *rep)
{
    p2_writer_u8(writer, P2_REPUTATION_VERSION);
    p2_writer_bytes(writer, p2_span(rep->id.bytes, P2_ID_BYTES));
    p2_writer_u16(writer, (uint16_t)rep->score);
    p2_writer_u8(writer, rep->is_untrusted ? 1 : 0);
    p2_writer_u8(writer, rep->bans);
    p2_writer_u64(writer, rep->banned_until_s);
    p2_writer_u64(writer, rep->first_s);
    p2_writer_u64(writer, rep->last_s);
    p2_writer_u64(writer, rep->cleared);
    for (uint32_t i = 0; i <= P2_CONFIRMED_MAX; i++) {
        p2_writer_u64(writer, rep->confirmed_s[i]);
    }
    p2_writer_u32(writer, rep->confirmed);
    p2_writer_u32(writer, rep->refused);
    p2_writer_u32(writer, rep->protocol);
    p2_writer_u32(writer, rep->faults);
}

size_t p2_reputation_encode(uint8_t *out, const struct p2_reputation *rep,
                            const struct p2_kernel_names *names)
{
    struct p2_writer writer;
    p2_writer_init(&writer, out, P2_REPUTATION_BYTES_MAX);
    write_head(&writer, rep);
    uint8_t places[P2_CORE_KERNELS_MAX];
    uint8_t count = 0;
    for (uint32_t k = 0; k < P2_CORE_KERNELS_MAX; k++) {
        places[k] = k < names->count && is_worth(rep, k) ? count++ : NO_KERNEL;
    }
    p2_writer_u8(&writer, count);
    for (uint32_t k = 0; k < P2_CORE_KERNELS_MAX; k++) {
        if (places[k] != NO_KERNEL) {
            size_t size = strlen(names->names[k]);
            P2_ASSERT(size <= P2_WIRE_KERNEL_NAME_MAX);
            p2_writer_u8(&writer, (uint8_t)size);
            p2_writer_bytes(&writer, p2_span(names->names[k], size));
            p2_writer_u64(&writer, rep->kernels[k].n);
            p2_writer_u64(&writer, rep->kernels[k].tasks);
            p2_writer_u64(&writer, rep->kernels[k].audits);
            p2_writer_u32(&writer, rep->kernels[k].confirmed);
        }
    }
    uint32_t held = rep->faults < P2_EVIDENCE_MAX ? rep->faults : P2_EVIDENCE_MAX;
    p2_writer_u8(&writer, (uint8_t)held);
    for (uint32_t i = rep->faults - held; i != rep->faults; i++) {
        write_fault(&writer, &rep->evidence[i % P2_EVIDENCE_MAX], places);
    }
    P2_ASSERT(writer.error == P2_OK); /* the limits fit: see P2_REPUTATION_BYTES_MAX */
    return writer.size;
}

static void read_bytes(struct p2_reader *reader, uint8_t *out, size_t size)
{
    struct p2_span bytes = p2_reader_bytes(reader, size);
    if (bytes.size == size) {
        memcpy(out, bytes.data, size);
    }
}

static void read_head(struct p2_reader *reader, struct p2_reputation *rep)
{
    read_bytes(reader, rep->id.bytes, P2_ID_BYTES);
    rep->score = (int16_t)p2_reader_u16(reader);
    uint8_t flags = p2_reader_u8(reader);
    if (flags > 1) {
        p2_reader_fail(reader, P2_E_CORRUPT);
    }
    rep->is_untrusted = flags == 1;
    rep->bans = p2_reader_u8(reader);
    rep->banned_until_s = p2_reader_u64(reader);
    rep->first_s = p2_reader_u64(reader);
    rep->last_s = p2_reader_u64(reader);
    rep->cleared = p2_reader_u64(reader);
    for (uint32_t i = 0; i <= P2_CONFIRMED_MAX; i++) {
        rep->confirmed_s[i] = p2_reader_u64(reader);
    }
    rep->confirmed = p2_reader_u32(reader);
    rep->refused = p2_reader_u32(reader);
    rep->protocol = p2_reader_u32(reader);
    rep->faults = p2_reader_u32(reader);
}

static uint8_t find_kernel(const struct p2_kernel_names *names, struct p2_span name)
{
    for (uint32_t k = 0; k < names->count && k < P2_CORE_KERNELS_MAX; k++) {
        if (strlen(names->names[k]) == name.size &&
            memcmp(names->names[k], name.data, name.size) == 0) {
            return (uint8_t)k;
        }
    }
    return NO_KERNEL;
}

static void read_kernels(struct p2_reader *reader, struct p2_reputation *rep,
                         const struct p2_kernel_names *names, uint8_t places[256])
{
    uint8_t count = p2_reader_u8(reader);
    memset(places, NO_KERNEL, 256);
    if (count > P2_CORE_KERNELS_MAX) {
        p2_reader_fail(reader, P2_E_CORRUPT);
    }
    for (uint8_t i = 0; i < count && reader->error == P2_OK; i++) {
        struct p2_span name = p2_reader_bytes(reader, p2_reader_u8(reader));
        struct p2_kernel_record record;
        record.n = p2_reader_u64(reader);
        record.tasks = p2_reader_u64(reader);
        record.audits = p2_reader_u64(reader);
        record.confirmed = p2_reader_u32(reader);
        places[i] = reader->error == P2_OK ? find_kernel(names, name) : NO_KERNEL;
        if (places[i] != NO_KERNEL) {
            rep->kernels[places[i]] = record;
        }
    }
}

static void read_fault(struct p2_reader *reader, struct p2_fault *fault, const uint8_t places[256])
{
    fault->at_s = p2_reader_u64(reader);
    fault->lease = p2_reader_u64(reader);
    fault->forfeited_nd = p2_reader_u64(reader);
    uint8_t place = places[p2_reader_u8(reader)];
    fault->kernel = place == NO_KERNEL ? P2_CORE_KERNELS_MAX : place;
    uint8_t cause = p2_reader_u8(reader);
    if (cause >= P2_FAULT_CAUSES) {
        p2_reader_fail(reader, P2_E_CORRUPT);
        cause = 0;
    }
    fault->cause = (enum p2_fault_cause)cause;
    fault->change = (int16_t)p2_reader_u16(reader);
    read_bytes(reader, fault->input, P2_DIGEST_BYTES);
    read_bytes(reader, fault->expected, P2_DIGEST_BYTES);
    read_bytes(reader, fault->got, P2_DIGEST_BYTES);
}

int p2_reputation_decode(struct p2_reputation *ret_rep, struct p2_span bytes,
                         const struct p2_kernel_names *names)
{
    struct p2_reputation rep = {0};
    struct p2_reader reader;
    p2_reader_init(&reader, bytes);
    uint8_t version = p2_reader_u8(&reader);
    if (reader.error == P2_OK && version > P2_REPUTATION_VERSION) {
        return P2_E_NEW_SCHEMA;
    }
    if (version != P2_REPUTATION_VERSION) {
        return P2_E_CORRUPT;
    }
    read_head(&reader, &rep);
    uint8_t places[256];
    read_kernels(&reader, &rep, names, places);
    uint8_t held = p2_reader_u8(&reader);
    uint32_t expected = rep.faults < P2_EVIDENCE_MAX ? rep.faults : P2_EVIDENCE_MAX;
    if (held != expected) {
        p2_reader_fail(&reader, P2_E_CORRUPT);
    }
    for (uint32_t i = rep.faults - expected; i != rep.faults && reader.error == P2_OK; i++) {
        read_fault(&reader, &rep.evidence[i % P2_EVIDENCE_MAX], places);
    }
    if (p2_reader_end(&reader) != P2_OK) {
        return P2_E_CORRUPT;
    }
    *ret_rep = rep;
    return P2_OK;
}
