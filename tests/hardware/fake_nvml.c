/* A driver's library that answers as FAKE_NVML says, for tests of what asks it: one card, or
   trouble. The functions and their arguments are those of nvml.h. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is(const char *mood) {
    const char *said = getenv("FAKE_NVML");
    return said && strcmp(said, mood) == 0;
}

int nvmlInitWithFlags(unsigned flags) {
    if (is("hangs")) for (;;) pause();
    if (is("crashes")) abort();
    if (is("forbids")) return 4;
    if (is("unloaded")) return 9;
    if (is("mismatched")) return 18;
    return 0;
}
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *out, unsigned size) { strncpy(out, "560.35.03", size); return 0; }
int nvmlSystemGetCudaDriverVersion_v2(int *out) { *out = 12060; return 0; }
int nvmlDeviceGetCount_v2(unsigned *out) { *out = is("lost") ? 2 : 1; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **out) {
    if (is("lost") && index == 0) return 15;
    *out = (void *)0x10;
    return 0;
}
int nvmlDeviceGetName(void *card, char *out, unsigned size) {
    if (is("vanishes")) return 15;
    strncpy(out, "NVIDIA GeForce RTX 4070", size);
    return 0;
}
int nvmlDeviceGetUUID(void *card, char *out, unsigned size) {
    strncpy(out, "GPU-11111111-2222-3333-4444-555555555555", size);
    return 0;
}
struct memory { unsigned long long total, free, used; };
int nvmlDeviceGetMemoryInfo(void *card, struct memory *out) {
    if (is("vanishes")) return 15;
    out->total = 12282ull << 20;
    out->free = 11500ull << 20;
    out->used = out->total - out->free;
    return 0;
}
int nvmlDeviceGetCudaComputeCapability(void *card, int *major, int *minor) { *major = 8; *minor = 9; return 0; }
int nvmlDeviceGetMemoryBusWidth(void *card, unsigned *out) { *out = 192; return 0; }
int nvmlDeviceGetMaxClockInfo(void *card, unsigned kind, unsigned *out) { *out = kind == 2 ? 10501 : 3105; return 0; }
int nvmlDeviceGetNumGpuCores(void *card, unsigned *out) { *out = 5888; return 0; }
int nvmlDeviceGetMaxPcieLinkGeneration(void *card, unsigned *out) { *out = 4; return 0; }
int nvmlDeviceGetMaxPcieLinkWidth(void *card, unsigned *out) { *out = 16; return 0; }
int nvmlDeviceGetMigMode(void *card, unsigned *now, unsigned *next) { return 3; }
struct process { unsigned pid; unsigned long long used; unsigned instance, compute; };
int nvmlDeviceGetComputeRunningProcesses_v3(void *card, unsigned *count, struct process *out) {
    if (*count == 0) { *count = 1; return 7; }
    *count = 1;
    out[0].pid = 4242;
    out[0].used = 700ull << 20;
    return 0;
}
