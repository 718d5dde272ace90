/* Real nodes of the overlay in one program, for tests and measurements: each has its own p2c2r-dht
 * process; their parents share one loop. Prints one line per promise ("ok ..." or "FAILED ...") and
 * p50, p95 and maximum of what was measured ("figure: ..."). Thread: main. */
#ifndef P2_TESTS_TOOLS_SWARM_H
#define P2_TESTS_TOOLS_SWARM_H

#include "overlay/overlay_dht.h"

#include <uv.h>

#define SWARM_NODES_MAX 256

/* Nothing waited for may take longer. Chosen: sixty times what it takes on an idle machine. */
#define SWARM_PATIENCE_MS 90000

struct swarm {
    uv_loop_t loop;
    struct p2_overlay *nodes[SWARM_NODES_MAX];
    int count; /* of nodes */
    int closed;
    int failures;
    const char *program; /* of the node */
    uint32_t network;
    uint32_t hang_ms; /* a node that is silent for so long hangs; a loaded machine needs patience */
    uint8_t stored[P2_OVERLAY_DHT_NODES_BYTES]; /* the last list of good nodes */
    size_t stored_size;
};

extern struct swarm swarm;

/* Begins: the loop, unbuffered lines. */
void swarm_begin(const char *program, uint32_t network);

uint64_t swarm_now_us(void);

/* Runs the loop until `done` says so; false: patience is over. */
bool swarm_run_until(bool (*done)(void *ctx), void *ctx);

/* Runs it for a while: for what must be given its time, as a flood, never as synchronisation. */
void swarm_run_for(uint64_t us);

void swarm_expect(bool is_true, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints the figure of us[n], which it sorts, and returns the 95th percentile; 0 for none. */
uint64_t swarm_figure(const char *what, uint64_t *us, size_t n);

/* Opens node `i`; bootstrap 0: none. `restart_ms`: how soon it is started again; 0: as usual. */
bool swarm_open(int i, uint16_t bootstrap, uint32_t restart_ms);

/* For swarm_run_until; `ctx` is an int with the node's number. */
bool swarm_has_port(void *ctx);
bool swarm_is_connected(void *ctx);

/* Opens the nodes not open yet, 0..count-1, and waits until all are connected. Without a bootstrap
 * node (0) the last one of ours is one. Nodes below `mortals` are not started again for as long
 * as anybody waits. Ends the program when that fails. */
void swarm_connect(int mortals, uint16_t bootstrap);

/* Kills the processes of nodes 0..count-1 and waits until they are gone. */
void swarm_kill(int count);

/* Closes all nodes; the exit status. */
int swarm_end(void);

#endif
