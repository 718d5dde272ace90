/* The control protocol: JSON lines over a Unix socket, between a daemon and p2c2rctl (doc/ctl.md).
 *
 *   request   {"v":1,"id":7,"command":"log-level","arguments":{"level":"debug"}}
 *   answer    {"v":1,"id":7,"ok":true,"result":{...}}
 *             {"v":1,"id":7,"ok":false,"error":{"name":"INVALID","text":"..."}}
 *
 * One object per line, strict JSON, no duplicate keys. Answers carry the request's id; they come in
 * the order the work ends, not the order of requests. Unknown members of a request are refused, so
 * that a typing slip is not silently ignored. A request may bring one open file descriptor
 * (SCM_RIGHTS): people's files are opened by their own client, never by the daemon. */
#ifndef P2_CTL_PROTOCOL_H
#define P2_CTL_PROTOCOL_H

#include "base/buf.h"

#include <jansson.h>

#include <stdint.h>

#define P2_CTL_VERSION 1 /* of requests, answers and of every --json output */

/* Bytes of one line, with its newline. Chosen: the longest request is a list of a few hundred keys;
 * answers (tables of 1,000 helpers at ~200 bytes) are longer. */
#define P2_CTL_REQUEST_MAX (64u << 10)
#define P2_CTL_ANSWER_MAX  (1u << 20)

/* Characters of a command's name. Chosen: the longest is below 20. */
#define P2_CTL_NAME_MAX 32

struct p2_ctl_request {
    int64_t id;                    /* chosen by the client, given back in the answer */
    char command[P2_CTL_NAME_MAX]; /* ends with a zero */
    json_t *arguments;             /* an object, never NULL; owned */
};

/* Reads one line (without its newline). P2_E_TOO_BIG, P2_E_MALFORMED (not JSON, not an object, a
 * member missing, unknown or of the wrong type), P2_E_BAD_VERSION; `failure` then says what is
 * wrong and ret_request->id is the request's id when it could be read, else 0. On success the
 * caller ends it with p2_ctl_request_free. */
int p2_ctl_request_parse(struct p2_ctl_request *ret_request, struct p2_span line,
                         struct p2_failure *failure);
void p2_ctl_request_free(struct p2_ctl_request *request);

/* The line of a request, newline included. Gives: free(). NULL when out of memory.
 * Borrows `arguments` (may be NULL: no arguments). */
char *p2_ctl_request_line(int64_t id, const char *command, const json_t *arguments);

/* The line of an answer, newline included. Gives: free(). NULL when out of memory or above
 * P2_CTL_ANSWER_MAX. p2_ctl_answer_line borrows `result`. */
char *p2_ctl_answer_line(int64_t id, const json_t *result);
char *p2_ctl_error_line(int64_t id, int error, const char *text);

/* Reads an answer: 0 and the result (gives: json_decref), or the error the daemon named with its
 * text in `failure` (P2_E_MALFORMED when the answer itself is broken or for another id). */
int p2_ctl_answer_parse(json_t **ret_result, struct p2_span line, int64_t id,
                        struct p2_failure *failure);

#endif
