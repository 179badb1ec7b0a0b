/* Stands in for a library that Wine 8 lacks: the one function of it that Rust's standard library imports. */
#include <windows.h>

/* RtlGenRandom, as advapi32 exports it. */
BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length) {
    const SIZE_T most = 1u << 30;
    while (length > 0) {
        ULONG now = (ULONG)(length < most ? length : most);
        if (!SystemFunction036(data, now)) {
            return FALSE;
        }
        data += now;
        length -= now;
    }
    return TRUE;
}
