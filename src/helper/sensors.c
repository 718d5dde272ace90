/* Reading /proc and /sys. */
#include "helper/sensors.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Bytes of a file that are read. Chosen: the first line of /proc/stat and all of the others. */
#define TEXT_MAX 4096

/* Entries of a folder that are looked at. Chosen: machines have below 100 zones. */
#define ENTRIES_MAX 256

struct reader {
    char text[TEXT_MAX];
};

/* The start of a file as a string; false when it cannot be read. */
static bool read_text(struct reader *reader, const char *root, const char *folder,
                      const char *entry, const char *file)
{
    char path[512];
    int length = snprintf(path, sizeof path, "%s%s%s%s%s", root, folder, entry,
                          entry[0] != '\0' ? "/" : "", file);
    if (length < 0 || (size_t)length >= sizeof path) {
        return false;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return false;
    }
    ssize_t got = read(fd, reader->text, sizeof reader->text - 1);
    (void)close(fd); /* only read */
    if (got <= 0) {
        return false;
    }
    reader->text[got] = '\0';
    return true;
}

static bool starts_with(const struct reader *reader, const char *word)
{
    return strncmp(reader->text, word, strlen(word)) == 0;
}

/* Calls `visit` for the entries of a folder. */
static void each_entry(const struct p2_sensors *sensors, const char *folder,
                       void (*visit)(const struct p2_sensors *sensors, const char *entry,
                                     struct p2_lend_sensors *ret),
                       struct p2_lend_sensors *ret)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s%s", sensors->root, folder);
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return;
    }
    struct dirent *entry;
    for (unsigned i = 0; i < ENTRIES_MAX && (entry = readdir(dir)) != NULL; i++) {
        if (entry->d_name[0] != '.') {
            visit(sensors, entry->d_name, ret);
        }
    }
    (void)closedir(dir);
}

#define POWER "/sys/class/power_supply/"
#define HEAT  "/sys/class/thermal/"

static void look_at_supply(const struct p2_sensors *sensors, const char *entry,
                           struct p2_lend_sensors *ret)
{
    struct reader reader;
    if (!read_text(&reader, sensors->root, POWER, entry, "type")) {
        return;
    }
    if (starts_with(&reader, "Mains") &&
        read_text(&reader, sensors->root, POWER, entry, "online")) {
        ret->knows_power = true;
        ret->is_on_battery = ret->is_on_battery || reader.text[0] == '0';
    } else if (starts_with(&reader, "Battery")) {
        /* Batteries of mice and headsets say so; they do not feed the machine. */
        if (read_text(&reader, sensors->root, POWER, entry, "scope") &&
            starts_with(&reader, "Device")) {
            return;
        }
        ret->has_battery = true;
        if (read_text(&reader, sensors->root, POWER, entry, "status")) {
            ret->knows_power = true;
            ret->is_on_battery = ret->is_on_battery || starts_with(&reader, "Discharging");
        }
        if (read_text(&reader, sensors->root, POWER, entry, "capacity")) {
            unsigned long percent = strtoul(reader.text, NULL, 10);
            ret->charge_percent = percent <= 100 ? (uint32_t)percent : 100;
        }
    }
}

static void look_at_zone(const struct p2_sensors *sensors, const char *entry,
                         struct p2_lend_sensors *ret)
{
    struct reader reader;
    if (strncmp(entry, "thermal_zone", 12) != 0 ||
        !read_text(&reader, sensors->root, HEAT, entry, "temp")) {
        return;
    }
    long milli = strtol(reader.text, NULL, 10);
    int32_t celsius = milli > -273150 && milli < 1000000 ? (int32_t)(milli / 1000) : 0;
    if (!ret->knows_temperature || celsius > ret->temperature_c) {
        ret->temperature_c = celsius;
    }
    ret->knows_temperature = true;
}

/* "cpu  user nice system idle iowait irq softirq steal ...", in ticks of all cores. */
static void look_at_load(struct p2_sensors *sensors, uint64_t own_us, struct p2_lend_sensors *ret)
{
    struct reader reader;
    unsigned long long ticks[8] = {0};
    long per_s = sysconf(_SC_CLK_TCK);
    if (per_s <= 0 || !read_text(&reader, sensors->root, "/proc/", "", "stat") ||
        sscanf(reader.text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &ticks[0], &ticks[1],
               &ticks[2], &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]) != 8) {
        return;
    }
    uint64_t busy = ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6] + ticks[7];
    uint64_t total = busy + ticks[3] + ticks[4];
    if (sensors->has_before && total > sensors->total && busy >= sensors->busy) {
        uint64_t own = (own_us - sensors->own_us) * (uint64_t)per_s / 1000000u;
        uint64_t all = busy - sensors->busy;
        ret->knows_load = true;
        ret->load_percent =
            (uint32_t)(100 * (all > own ? all - own : 0) / (total - sensors->total));
    }
    sensors->has_before = true;
    sensors->total = total;
    sensors->busy = busy;
    sensors->own_us = own_us;
}

static void look_at_pressure(const struct p2_sensors *sensors, struct p2_lend_sensors *ret)
{
    struct reader reader;
    unsigned percent = 0;
    if (read_text(&reader, sensors->root, "/proc/", "pressure", "cpu") &&
        sscanf(reader.text, "some avg10=%u.", &percent) == 1) {
        ret->knows_pressure = true;
        ret->pressure_percent = percent;
    }
}

static void look_at_room(const struct p2_sensors *sensors, struct p2_lend_sensors *ret)
{
    static const char label[] = "MemAvailable:";
    struct reader reader;
    struct statvfs disk;
    if (read_text(&reader, sensors->root, "/proc/", "", "meminfo")) {
        const char *at = strstr(reader.text, label);
        if (at != NULL) {
            ret->knows_memory = true;
            ret->memory_bytes = (uint64_t)strtoull(at + sizeof label - 1, NULL, 10) * 1024u;
        }
    }
    if (statvfs(sensors->state_dir, &disk) == 0) {
        ret->knows_disk = true;
        ret->disk_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    }
}

void p2_sensors_look(struct p2_sensors *sensors, uint64_t own_us, struct p2_lend_sensors *ret)
{
    ret->has_battery = ret->knows_power = ret->is_on_battery = false;
    ret->knows_temperature = ret->knows_load = ret->knows_pressure = false;
    ret->knows_memory = ret->knows_disk = false;
    each_entry(sensors, POWER, look_at_supply, ret);
    each_entry(sensors, HEAT, look_at_zone, ret);
    look_at_load(sensors, own_us, ret);
    look_at_pressure(sensors, ret);
    look_at_room(sensors, ret);
}
