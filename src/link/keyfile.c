/* Loading and creating the identity file; see the header. */
#include "link/keyfile.h"

#include "base/entropy.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEYFILE_MODE 0600
#define CHECK_BYTES  16
#define CHECKED_SIZE (P2_KEYFILE_BYTES - CHECK_BYTES)

static const uint8_t magic[8] = {'P', '2', 'C', '2', 'R', 'K', 'E', 'Y'};

/* ---- bytes ------------------------------------------------------------------------------------ */

static void check_value(uint8_t check[CHECK_BYTES], const uint8_t *file)
{
    static const char domain[] = "p2c2r key file";
    const struct p2_span parts[] = {p2_span(domain, sizeof domain), p2_span(file, CHECKED_SIZE)};
    p2_hash(check, CHECK_BYTES, parts, P2_COUNT_OF(parts));
}

void p2_keyfile_encode(uint8_t out[P2_KEYFILE_BYTES], const uint8_t seed[P2_KEY_BYTES])
{
    memcpy(out, magic, sizeof magic);
    p2_store_be32(out + 8, P2_KEYFILE_VERSION);
    p2_store_be32(out + 12, 0);
    memcpy(out + 16, seed, P2_KEY_BYTES);
    check_value(out + CHECKED_SIZE, out);
}

int p2_keyfile_decode(struct p2_identity *identity, struct p2_span bytes)
{
    uint8_t check[CHECK_BYTES];
    p2_secret_wipe(identity, sizeof *identity);
    if (bytes.size < 12 || memcmp(bytes.data, magic, sizeof magic) != 0) {
        return P2_E_CORRUPT;
    }
    uint32_t version = p2_load_be32(bytes.data + 8);
    if (version > P2_KEYFILE_VERSION) {
        return P2_E_NEW_SCHEMA;
    }
    if (version != P2_KEYFILE_VERSION || bytes.size != P2_KEYFILE_BYTES) {
        return P2_E_CORRUPT;
    }
    check_value(check, bytes.data);
    if (!p2_secret_equal(check, bytes.data + CHECKED_SIZE, CHECK_BYTES) ||
        p2_load_be32(bytes.data + 12) != 0 ||
        p2_identity_from_seed(identity, bytes.data + 16) != P2_OK) {
        return P2_E_CORRUPT;
    }
    return P2_OK;
}

/* ---- files ------------------------------------------------------------------------------------ */

/* The project's code for an errno of a file operation. */
static int file_error(int number)
{
    static const struct {
        int number;
        int error;
    } rows[] = {
        {ENOENT, P2_E_NOENT}, {EEXIST, P2_E_EXIST},   {EACCES, P2_E_PERM},   {EPERM, P2_E_PERM},
        {EROFS, P2_E_PERM},   {ELOOP, P2_E_BAD_MODE}, {ENOSPC, P2_E_NODISK}, {EDQUOT, P2_E_NODISK},
    };
    for (size_t i = 0; i < P2_COUNT_OF(rows); i++) {
        if (rows[i].number == number) {
            return rows[i].error;
        }
    }
    return P2_E_IO;
}

static int check_owner_and_mode(int fd, const char *path, struct p2_failure *failure)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return p2_fail(failure, P2_E_IO, "cannot examine the key file %s: %s", path,
                       strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return p2_fail(failure, P2_E_BAD_MODE, "the key file %s is not a regular file", path);
    }
    if (status.st_uid != geteuid()) {
        return p2_fail(failure, P2_E_BAD_MODE,
                       "the key file %s belongs to user %lu, not to user %lu who runs this; "
                       "give it to the right user with chown",
                       path, (unsigned long)status.st_uid, (unsigned long)geteuid());
    }
    if ((status.st_mode & 07777 & ~(mode_t)KEYFILE_MODE) != 0) {
        return p2_fail(failure, P2_E_BAD_MODE,
                       "the key file %s has mode %04o, others may have read it; "
                       "if you trust it still: chmod 0600",
                       path, (unsigned)(status.st_mode & 07777));
    }
    if (status.st_size != P2_KEYFILE_BYTES) {
        return p2_fail(failure, P2_E_CORRUPT,
                       "the key file %s has %lld bytes, not %d; restore it from a backup, or move "
                       "it away to start with a new identity",
                       path, (long long)status.st_size, P2_KEYFILE_BYTES);
    }
    return P2_OK;
}

/* Reads up to `size` bytes; fewer only at the end of the file. -1 with errno on failure. */
static ssize_t read_all(int fd, uint8_t *out, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = read(fd, out + done, size - done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        done += (size_t)got;
    }
    return (ssize_t)done;
}

/* Locked memory for one load or create: the identity to give, and the file's bytes. */
struct secrets {
    struct p2_identity *identity;
    uint8_t *bytes; /* [P2_KEYFILE_BYTES] */
};

static int secrets_init(struct secrets *secrets, struct p2_failure *failure)
{
    secrets->identity = p2_secret_alloc(sizeof *secrets->identity);
    secrets->bytes = p2_secret_alloc(P2_KEYFILE_BYTES);
    if (secrets->identity == NULL || secrets->bytes == NULL) {
        p2_secret_free(secrets->identity);
        p2_secret_free(secrets->bytes);
        return p2_fail(failure, P2_E_NOMEM,
                       "no locked memory for the node's key; raise "
                       "RLIMIT_MEMLOCK (ulimit -l)");
    }
    return P2_OK;
}

/* Hands the identity over on success, frees everything else. */
static int secrets_finish(struct secrets *secrets, int error, struct p2_identity **ret_identity)
{
    p2_secret_free(secrets->bytes);
    if (error == P2_OK) {
        *ret_identity = secrets->identity;
    } else {
        p2_secret_free(secrets->identity);
    }
    return error;
}

static int read_and_decode(struct secrets *secrets, int fd, const char *path,
                           struct p2_failure *failure)
{
    int error = check_owner_and_mode(fd, path, failure);
    if (error != P2_OK) {
        return error;
    }
    ssize_t got = read_all(fd, secrets->bytes, P2_KEYFILE_BYTES);
    if (got < 0) {
        return p2_fail(failure, P2_E_IO, "cannot read the key file %s: %s", path, strerror(errno));
    }
    error = p2_keyfile_decode(secrets->identity, p2_span(secrets->bytes, (size_t)got));
    if (error == P2_E_NEW_SCHEMA) {
        return p2_fail(failure, error,
                       "the key file %s was written by a newer version of this program; upgrade",
                       path);
    }
    if (error != P2_OK) {
        return p2_fail(failure, error,
                       "the key file %s is damaged; restore it from a backup, or move it away to "
                       "start with a new identity",
                       path);
    }
    return P2_OK;
}

int p2_keyfile_load(struct p2_identity **ret_identity, const char *path, struct p2_failure *failure)
{
    struct secrets secrets;
    /* O_NONBLOCK: a FIFO in the file's place must not hang the start. */
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        int number = errno;
        return p2_fail(failure, file_error(number), "cannot open the key file %s: %s", path,
                       number == ELOOP ? "it is a symbolic link" : strerror(number));
    }
    int error = secrets_init(&secrets, failure);
    if (error == P2_OK) {
        error =
            secrets_finish(&secrets, read_and_decode(&secrets, fd, path, failure), ret_identity);
    }
    (void)close(fd); /* it was only read */
    return error;
}

/* ---- creating --------------------------------------------------------------------------------- */

static bool write_all(int fd, const uint8_t *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t put = write(fd, data + done, size - done);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return false;
        }
        done += (size_t)put;
    }
    return true;
}

/* The file exists with its bytes on the disk when this returns true; else errno says why. */
static bool write_new_file(const char *path, const uint8_t bytes[P2_KEYFILE_BYTES])
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, KEYFILE_MODE);
    if (fd < 0) {
        return false;
    }
    bool written =
        fchmod(fd, KEYFILE_MODE) == 0 && write_all(fd, bytes, P2_KEYFILE_BYTES) && fsync(fd) == 0;
    int number = errno;
    bool closed = close(fd) == 0;
    if (!written) {
        errno = number;
    }
    return written && closed;
}

/* Makes a new name in the file's folder durable. */
static bool sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    /* The final slash stays: it is right for "/key", too. */
    (void)snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - path) + 1 : 1,
                   slash != NULL ? path : "."); /* fits: `path` with a suffix did */
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool synced = fsync(fd) == 0;
    int number = errno;
    (void)close(fd); /* it was only read */
    errno = number;
    return synced;
}

/* Writes under a name nobody else uses, then links it to `path`, which fails if that exists (a
 * rename would replace it). A crash between link and unlink leaves a second name, also 0600. */
static int publish(const char *path, const uint8_t bytes[P2_KEYFILE_BYTES])
{
    char temporary[PATH_MAX];
    uint64_t unique;
    p2_entropy(&unique, sizeof unique);
    int length = snprintf(temporary, sizeof temporary, "%s.new-%016" PRIx64, path, unique);
    if (length < 0 || (size_t)length >= sizeof temporary) {
        errno = ENAMETOOLONG;
        return -1;
    }
    bool published = write_new_file(temporary, bytes) && link(temporary, path) == 0;
    int number = errno;
    (void)unlink(temporary); /* there is none when it could not be opened */
    errno = number;
    return published && sync_folder(path) ? 0 : -1;
}

int p2_keyfile_create(struct p2_identity **ret_identity, const char *path,
                      struct p2_failure *failure)
{
    struct secrets secrets;
    int error = secrets_init(&secrets, failure);
    if (error != P2_OK) {
        return error;
    }
    p2_identity_generate(secrets.identity);
    p2_keyfile_encode(secrets.bytes, secrets.identity->seed);
    if (publish(path, secrets.bytes) != 0) {
        int number = errno;
        error = p2_fail(failure, file_error(number), "cannot create the key file %s: %s", path,
                        strerror(number));
    }
    return secrets_finish(&secrets, error, ret_identity);
}

int p2_keyfile_open(struct p2_identity **ret_identity, const char *path, struct p2_failure *failure)
{
    int error = p2_keyfile_load(ret_identity, path, failure);
    if (error == P2_E_NOENT) {
        error = p2_keyfile_create(ret_identity, path, failure);
    }
    if (error == P2_E_EXIST) { /* another process was faster; its file is complete */
        error = p2_keyfile_load(ret_identity, path, failure);
    }
    return error;
}
