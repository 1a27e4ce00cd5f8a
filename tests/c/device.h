/* Measuring the stack; and on an emulated Cortex-M4, starting up. For a program of one file. */
#ifndef DEVICE_H
#define DEVICE_H

#include <stdint.h>
#include <string.h>

enum { PAINTED = 8192 };

/* Bytes of stack that a call writes below the function in which this stands: 0 where that is not known. */
#if defined(__arm__) || defined(__aarch64__)
#define STACK_OF(call, written)                                                                                        \
    do {                                                                                                               \
        volatile unsigned char *stack_;                                                                                \
        __asm__ volatile("mov %0, sp" : "=r"(stack_));                                                                 \
        for (int k_ = 1; k_ <= PAINTED; k_++)                                                                          \
            stack_[-k_] = 0xA5;                                                                                        \
        call;                                                                                                          \
        for (written = PAINTED; written > 0 && stack_[-written] == 0xA5;)                                              \
            written--;                                                                                                 \
    } while (0)
#else
#define STACK_OF(call, written)                                                                                        \
    do {                                                                                                               \
        call;                                                                                                          \
        written = 0;                                                                                                   \
    } while (0)
#endif

#ifdef CORTEX_M4
#include <stdio.h>
#include <unistd.h>

extern unsigned char data_in_flash[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];
void initialise_monitor_handles(void);
int main(void);
void start(void);

void start(void)
{
    *(volatile uint32_t *)0xE000ED88 |= (uint32_t)0xF << 20; /* CPACR: floating point on */
    __asm__ volatile("dsb\n isb");
    memcpy(data_start, data_in_flash, (size_t)(data_end - data_start));
    memset(bss_start, 0, (size_t)(bss_end - bss_start));
    initialise_monitor_handles();
    int status = main();
    fflush(stdout);
    _exit(status);
}

static void fault(void)
{
    for (;;) {
    }
}

/* Where the stack begins, reset, NMI, and the four faults. */
__attribute__((section(".vectors"), used)) static void (*const vectors[])(void) = {
    (void (*)(void))stack_top, start, fault, fault, fault, fault, fault};
#endif

#endif
