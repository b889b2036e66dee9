#include "process.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>

namespace weir::telemetry {
namespace {

double to_seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return to_seconds(usage.ru_utime) + to_seconds(usage.ru_stime);
}

std::uint64_t count_open_fds() {
    std::error_code error;
    std::filesystem::directory_iterator files("/proc/self/fd", error);
    // Without the one that the directory itself takes while it is read.
    return error ? 0 : static_cast<std::uint64_t>(std::distance(begin(files), end(files))) - 1;
}

/// Field 22 of proc(5) stat: clock ticks from boot to the start of this process.
double start_seconds_after_boot() {
    std::ifstream stat("/proc/self/stat");
    // The second field is the program's name in parentheses and may hold anything, blanks included.
    stat.ignore(std::numeric_limits<std::streamsize>::max(), ')');
    std::string skipped;
    for (int field = 3; field < 22; ++field) stat >> skipped;
    double ticks = 0;
    stat >> ticks;
    return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double start_time_seconds() {
    timespec since_boot{};
    clock_gettime(CLOCK_BOOTTIME, &since_boot);
    const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    const double boot = static_cast<double>(since_boot.tv_sec) + static_cast<double>(since_boot.tv_nsec) * 1e-9;
    return now - boot + start_seconds_after_boot();
}

}  // namespace

ProcessFigures read_process_figures() {
    // Once: a wall clock that is set right later must not look like a restart.
    static const double start_time = start_time_seconds();

    std::uint64_t virtual_pages = 0;
    std::uint64_t resident_pages = 0;
    std::ifstream("/proc/self/statm") >> virtual_pages >> resident_pages;
    const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    return {.cpu_seconds = cpu_seconds(),
            .start_time_seconds = start_time,
            .resident_bytes = resident_pages * page,
            .virtual_bytes = virtual_pages * page,
            .open_fds = count_open_fds(),
            .max_fds = files.rlim_cur};
}

}  // namespace weir::telemetry
