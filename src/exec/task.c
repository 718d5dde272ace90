/* Names of task outcomes. */
#include "exec/task.h"

const char *p2_task_status_text(enum p2_task_status status)
{
    static const char *const texts[] = {
        [P2_TASK_OK] = "ok",
        [P2_TASK_BAD_INPUT] = "bad input",
        [P2_TASK_BAD_RESULT] = "bad result",
        [P2_TASK_NO_ROOM] = "no room",
        [P2_TASK_TRAP] = "trap",
        [P2_TASK_TIMEOUT] = "timeout",
        [P2_TASK_MEMORY] = "memory",
        [P2_TASK_CANCELLED] = "cancelled",
        [P2_TASK_WORKER_ERROR] = "worker error",
    };
    _Static_assert(P2_COUNT_OF(texts) == P2_TASK_STATUS_COUNT, "every status has a text");
    return (unsigned)status < P2_COUNT_OF(texts) ? texts[status] : "unknown";
}

const char *p2_task_trap_text(enum p2_task_trap trap)
{
    static const char *const texts[] = {
        [P2_TRAP_NONE] = "none",
        [P2_TRAP_NULL] = "null access",
        [P2_TRAP_STACK] = "stack overflow",
        [P2_TRAP_ACCESS] = "wild access",
        [P2_TRAP_NUMBER] = "arithmetic",
        [P2_TRAP_CODE] = "illegal instruction",
        [P2_TRAP_CALL] = "forbidden system call",
        [P2_TRAP_EXIT] = "ended its process",
        [P2_TRAP_LIE] = "impossible answer",
        [P2_TRAP_SILENT] = "no answer",
        [P2_TRAP_LATE] = "began too late",
        [P2_TRAP_ALLOCATE] = "asked for memory",
        [P2_TRAP_SYSTEM] = "killed by the system",
        [P2_TRAP_NO_WORKER] = "no worker",
    };
    _Static_assert(P2_COUNT_OF(texts) == P2_TRAP_COUNT, "every trap has a text");
    return (unsigned)trap < P2_COUNT_OF(texts) ? texts[trap] : "unknown";
}
