/* dht-intruder NETWORK BOOTSTRAP-PORT [NODE-ID]: a hostile node of the Kademlia network on loopback,
 * for tests: no pace, no limit of size, any node id. Says "ready" when a node answered, then takes
 * orders, one a line, and says "done" after each:
 *   junk KEY SIZE COUNT   COUNT random values of SIZE bytes under KEY
 *   put KEY HEX           one value
 * Keys, values and ids are hexadecimal. It ends with its input. */
#include <arpa/inet.h>
#include <opendht/opendht_c.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define VALUE_MAX 4096u

/* Puts under way. Chosen: more are dropped by the nodes' limit of requests per address. */
#define IN_FLIGHT 32u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;
static unsigned in_flight, answers;

static void on_put(bool ok, void *user_data)
{
    (void)ok; /* an intruder does not care */
    (void)user_data;
    (void)pthread_mutex_lock(&lock);
    in_flight--;
    (void)pthread_cond_signal(&change);
    (void)pthread_mutex_unlock(&lock);
}

static void on_ping(bool ok, void *user_data)
{
    (void)user_data;
    (void)pthread_mutex_lock(&lock);
    answers += ok;
    in_flight--;
    (void)pthread_cond_signal(&change);
    (void)pthread_mutex_unlock(&lock);
}

static void wait_until_below(unsigned most)
{
    (void)pthread_mutex_lock(&lock);
    while (in_flight >= most) {
        (void)pthread_cond_wait(&change, &lock);
    }
    (void)pthread_mutex_unlock(&lock);
}

static void begin(void)
{
    (void)pthread_mutex_lock(&lock);
    in_flight++;
    (void)pthread_mutex_unlock(&lock);
}

static void put(dht_runner *runner, const dht_infohash *key, const uint8_t *bytes, size_t size)
{
    wait_until_below(IN_FLIGHT);
    begin();
    dht_value *value = dht_value_new(bytes, size);
    dht_runner_put(runner, key, value, on_put, NULL, false);
    dht_value_unref(value);
}

static void junk(dht_runner *runner, const dht_infohash *key, size_t size, unsigned count)
{
    uint8_t bytes[VALUE_MAX];
    for (unsigned i = 0; i < count; i++) {
        if (getrandom(bytes, size, 0) != (ssize_t)size) {
            exit(1);
        }
        put(runner, key, bytes, size);
    }
}

static size_t unhex(uint8_t *out, const char *text)
{
    size_t size = 0;
    unsigned byte;
    while (size < VALUE_MAX && sscanf(text + 2 * size, "%2x", &byte) == 1) {
        out[size++] = (uint8_t)byte;
    }
    return size;
}

static void obey(dht_runner *runner, char *line)
{
    char *rest = NULL;
    const char *verb = strtok_r(line, " \n", &rest);
    const char *key_text = strtok_r(NULL, " \n", &rest);
    const char *first = strtok_r(NULL, " \n", &rest);
    const char *second = strtok_r(NULL, " \n", &rest);
    dht_infohash key;
    uint8_t bytes[VALUE_MAX];
    if (verb == NULL || key_text == NULL || first == NULL || unhex(bytes, key_text) != HASH_LEN) {
        exit(2);
    }
    memcpy(key.d, bytes, HASH_LEN);
    if (strcmp(verb, "junk") == 0 && second != NULL) {
        unsigned long size = strtoul(first, NULL, 10);
        junk(runner, &key, size <= VALUE_MAX ? size : VALUE_MAX,
             (unsigned)strtoul(second, NULL, 10));
    } else {
        put(runner, &key, bytes, unhex(bytes, first));
    }
    wait_until_below(1);
    (void)printf("done\n");
}

int main(int argc, char **argv)
{
    static char line[2 * VALUE_MAX + 256];
    dht_runner_config config;
    if (argc < 3) {
        return 64;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    dht_runner_config_default(&config);
    config.dht_config.node_config.network = (uint32_t)strtoul(argv[1], NULL, 10);
    if (argc > 3) {
        uint8_t id[VALUE_MAX];
        (void)unhex(id, argv[3]);
        memcpy(config.dht_config.node_config.node_id.d, id, HASH_LEN);
    }
    dht_runner *runner = dht_runner_new();
    if (runner == NULL || dht_runner_run_config(runner, 0, &config) != 0) {
        return 1;
    }
    const struct sockaddr_in bootstrap = {.sin_family = AF_INET,
                                          .sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10)),
                                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int try = 0; try < 12 && answers == 0; try++) { /* a ping gives up after 7.6 s */
        begin();
        dht_runner_ping(runner, (struct sockaddr *)(uintptr_t)&bootstrap, sizeof bootstrap, on_ping,
                        NULL);
        wait_until_below(1);
    }
    (void)printf(answers > 0 ? "ready\n" : "alone\n");
    while (fgets(line, sizeof line, stdin) != NULL) {
        obey(runner, line);
    }
    _Exit(0); /* hostile to the end: no farewell */
}
