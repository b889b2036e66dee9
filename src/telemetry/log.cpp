#include "weir/telemetry/log.hpp"

#include <spdlog/details/log_msg.h>
#include <spdlog/pattern_formatter.h>

#include <atomic>
#include <mutex>
#include <utility>

#include "line_writer.hpp"
#include "log_line.hpp"
#include "repeat_filter.hpp"

namespace weir::telemetry {
namespace {

constexpr auto utc = spdlog::pattern_time_type::utc;
constexpr auto text_pattern = "%Y-%m-%dT%H:%M:%S.%eZ %l %v";
constexpr auto json_pattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})";

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
        case Level::debug:
            return spdlog::level::debug;
        case Level::info:
            return spdlog::level::info;
        case Level::warning:
            return spdlog::level::warn;
        case Level::error:
            return spdlog::level::err;
    }
    return spdlog::level::err;
}

std::string_view view(const Buffer& buffer) {
    return {buffer.data(), buffer.size()};
}

/// Emptied, but with the room it grew to: a line allocates nothing.
Buffer& cleared_scratch() {
    thread_local Buffer scratch;
    scratch.clear();
    return scratch;
}

}  // namespace

struct Log::Impl {
    Impl(Level least, Format wanted, int fd) : level(least), format(wanted), writer(fd) {}

    [[nodiscard]] bool wants(Level wanted) const { return wanted >= level.load(std::memory_order_relaxed); }

    void put(Level line_level, Format line_format, std::string_view body) {
        const std::lock_guard lock(mutex);
        if (dropped > 0 && try_append_notice(line_format)) dropped = 0;
        if (dropped > 0 || !try_append(line_level, line_format, body)) ++dropped;
        if (!schedule) return writer.flush();
        if (!std::exchange(is_flush_scheduled, true)) schedule();
    }

    [[nodiscard]] bool try_append(Level line_level, Format line_format, std::string_view body) {
        auto& formatter = line_format == Format::json ? json : text;
        const spdlog::string_view_t payload(body.data(), body.size());
        line.clear();
        formatter.format(spdlog::details::log_msg({}, to_spdlog(line_level), payload), line);
        return writer.try_append({line.data(), line.size()});
    }

    [[nodiscard]] bool try_append_notice(Format line_format) {
        Buffer notice;
        const auto words = fmt::format("{} log lines were dropped here: nobody read standard error", dropped);
        append_event(notice, line_format, words, 0);
        return try_append(Level::warning, line_format, view(notice));
    }

    std::atomic<Level> level;
    std::atomic<Format> format;

    std::mutex mutex;  // guards what follows
    spdlog::pattern_formatter text{text_pattern, utc, "\n"};
    spdlog::pattern_formatter json{json_pattern, utc, "\n"};
    spdlog::memory_buf_t line;
    LineWriter writer;
    std::uint64_t dropped = 0;
    std::function<void()> schedule;
    bool is_flush_scheduled = false;

    std::mutex filter_mutex;
    RepeatFilter filter;
};

Log::Log(Level level, Format format, int fd) : impl_(std::make_unique<Impl>(level, format, fd)) {}

Log::~Log() {
    flush();
}

void Log::configure(Level level, Format format) {
    impl_->level = level;
    impl_->format = format;
}

void Log::transaction(const TransactionRecord& record) {
    if (!impl_->wants(Level::info)) return;
    const Format format = impl_->format;
    Buffer& body = cleared_scratch();
    append_transaction(body, format, record);
    impl_->put(Level::info, format, view(body));
}

void Log::event(Level level, std::string_view message) {
    if (!impl_->wants(level)) return;
    const Format format = impl_->format;
    Buffer& body = cleared_scratch();
    append_event(body, format, message, 0);
    impl_->put(level, format, view(body));
}

void Log::event_limited(Level level, std::string_view kind, std::string_view message) {
    if (!impl_->wants(level)) return;
    std::unique_lock lock(impl_->filter_mutex);
    const auto suppressed = impl_->filter.try_pass(kind, std::chrono::steady_clock::now());
    lock.unlock();
    if (!suppressed) return;
    const Format format = impl_->format;
    Buffer& body = cleared_scratch();
    append_event(body, format, message, *suppressed);
    impl_->put(level, format, view(body));
}

void Log::flush() {
    const std::lock_guard lock(impl_->mutex);
    impl_->is_flush_scheduled = false;
    impl_->writer.flush();
}

void Log::set_flush_scheduler(std::function<void()> schedule) {
    const std::lock_guard lock(impl_->mutex);
    impl_->schedule = std::move(schedule);
    impl_->is_flush_scheduled = false;
    impl_->writer.flush();
}

}  // namespace weir::telemetry
