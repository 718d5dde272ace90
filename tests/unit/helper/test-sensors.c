/* Sensors, from a folder that looks like /proc and /sys. */
#include "helper/sensors.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *root;
static struct p2_sensors sensors;
static struct p2_lend_sensors seen;

static void put(const char *path, const char *text)
{
    char full[512];
    (void)snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        (void)mkdir(full, 0700); /* it may be there */
        *at = '/';
    }
    FILE *file = fopen(full, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT(fputs(text, file) >= 0);
    P2_ASSERT_EQUAL(fclose(file), 0);
}

static void begin(void)
{
    root = p2_test_folder_make();
    sensors = (struct p2_sensors){.root = root, .state_dir = root};
    memset(&seen, 0, sizeof seen);
}

static void a_machine_that_says_nothing_is_known_to_say_nothing(void)
{
    begin();
    p2_sensors_look(&sensors, 0, &seen);
    CU_ASSERT(!seen.has_battery && !seen.knows_power && !seen.knows_temperature);
    CU_ASSERT(!seen.knows_load && !seen.knows_pressure && !seen.knows_memory);
    CU_ASSERT(seen.knows_disk); /* the folder is on one */
    p2_test_folder_remove();
}

static void a_laptop_tells_battery_and_heat(void)
{
    begin();
    put("sys/class/power_supply/AC/type", "Mains\n");
    put("sys/class/power_supply/AC/online", "1\n");
    put("sys/class/power_supply/BAT0/type", "Battery\n");
    put("sys/class/power_supply/BAT0/status", "Charging\n");
    put("sys/class/power_supply/BAT0/capacity", "57\n");
    put("sys/class/thermal/thermal_zone0/temp", "41000\n");
    put("sys/class/thermal/thermal_zone1/temp", "72500\n");
    put("sys/class/thermal/cooling_device0/temp", "99000\n");
    p2_sensors_look(&sensors, 0, &seen);
    CU_ASSERT(seen.has_battery && seen.knows_power && !seen.is_on_battery);
    P2_ASSERT_EQUAL(seen.charge_percent, 57);
    CU_ASSERT(seen.knows_temperature);
    P2_ASSERT_EQUAL(seen.temperature_c, 72);
    put("sys/class/power_supply/AC/online", "0\n");
    put("sys/class/power_supply/BAT0/status", "Discharging\n");
    put("sys/class/thermal/thermal_zone1/temp", "30000\n");
    p2_sensors_look(&sensors, 0, &seen);
    CU_ASSERT(seen.is_on_battery);
    P2_ASSERT_EQUAL(seen.temperature_c, 41);
    p2_test_folder_remove();
}

static void a_mouse_s_battery_is_not_the_machine_s(void)
{
    begin();
    put("sys/class/power_supply/mouse/type", "Battery\n");
    put("sys/class/power_supply/mouse/scope", "Device\n");
    put("sys/class/power_supply/mouse/status", "Discharging\n");
    p2_sensors_look(&sensors, 0, &seen);
    CU_ASSERT(!seen.has_battery && !seen.is_on_battery);
    p2_test_folder_remove();
}

static void the_load_is_that_of_others_since_the_last_look(void)
{
    begin();
    /* 100 ticks a second: 40 of 200 ticks were used, half of it by us. */
    put("proc/stat", "cpu  1000 100 200 5000 300 10 20 30 0 0\ncpu0 1 2 3\n");
    p2_sensors_look(&sensors, 5000000, &seen);
    CU_ASSERT(!seen.knows_load);
    put("proc/stat", "cpu  1020 110 205 5150 310 12 22 31 0 0\ncpu0 1 2 3\n");
    p2_sensors_look(&sensors, 5200000, &seen);
    CU_ASSERT(seen.knows_load);
    P2_ASSERT_EQUAL(seen.load_percent, 10);
    put("proc/stat", "cpu  1 1 1 1 1 1 1 1\n"); /* a counter that went back says nothing */
    p2_sensors_look(&sensors, 5300000, &seen);
    CU_ASSERT(!seen.knows_load);
    p2_test_folder_remove();
}

static void pressure_and_memory_are_read_and_nonsense_is_not(void)
{
    begin();
    put("proc/pressure/cpu", "some avg10=12.34 avg60=1.00 avg300=0.00 total=12345\n");
    put("proc/meminfo", "MemTotal: 8000000 kB\nMemFree: 100 kB\nMemAvailable:    2048 kB\n");
    p2_sensors_look(&sensors, 0, &seen);
    CU_ASSERT(seen.knows_pressure && seen.knows_memory);
    P2_ASSERT_EQUAL(seen.pressure_percent, 12);
    P2_ASSERT_EQUAL(seen.memory_bytes, 2048 * 1024);
    put("proc/pressure/cpu", "\n");
    put("proc/meminfo", "MemTotal: 8000000 kB\n");
    p2_sensors_look(&sensors, 0, &seen);
    CU_ASSERT(!seen.knows_pressure && !seen.knows_memory);
    p2_test_folder_remove();
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(a_machine_that_says_nothing_is_known_to_say_nothing),
        P2_TEST(a_laptop_tells_battery_and_heat),
        P2_TEST(a_mouse_s_battery_is_not_the_machine_s),
        P2_TEST(the_load_is_that_of_others_since_the_last_look),
        P2_TEST(pressure_and_memory_are_read_and_nonsense_is_not),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"sensors", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };
    return p2_test_main(argc, argv, suites);
}
