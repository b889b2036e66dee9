#include "weir/smtp/body_scanner.hpp"

#include <algorithm>
#include <cstddef>

namespace weir::smtp {
namespace {

constexpr std::size_t block_size = 1024;

/// True when bytes[1..block_size] hold no NUL, no bare CR or LF and no dot at the start of a line. `bytes[0]` is the
/// byte before the block. One pass without branches, which the compiler turns into vector code: almost every block of
/// almost every message is plain, and this is what a large message costs.
bool is_plain(const char* bytes) {
    unsigned char bad = 0;
    for (std::size_t i = 1; i <= block_size; ++i) {
        const char before = bytes[i - 1];
        const char here = bytes[i];
        bad = static_cast<unsigned char>(bad | static_cast<unsigned char>(here == '\0') |
                                         static_cast<unsigned char>((before == '\r') != (here == '\n')) |
                                         static_cast<unsigned char>((before == '\n') & (here == '.')));
    }
    return bad == 0;
}

}  // namespace

BodyScanner::Step BodyScanner::scan(std::string_view bytes) {
    Step step;
    if (bytes.empty()) return step;
    step.carried_cr = !violated_ && (state_ == State::cr || state_ == State::dot_cr);
    std::size_t i = 0;
    std::size_t look_closely_until = 1;  // a block that is not plain is looked at byte by byte, once
    while (i < bytes.size() && !step.ended) {
        if (i >= look_closely_until && (state_ == State::line || state_ == State::line_start)) {
            if (bytes.size() - i >= block_size && is_plain(bytes.data() + i - 1)) {
                i += block_size;
                const char last = bytes[i - 1];
                state_ = last == '\r' ? State::cr : last == '\n' ? State::line_start : State::line;
                continue;
            }
            look_closely_until = i + block_size;
        }
        const char c = bytes[i];
        const bool after_cr = state_ == State::cr || state_ == State::dot_cr;
        if (c == '\0' || after_cr != (c == '\n')) {
            if (!violated_) step.violated = violated_ = true;
        }
        if (c == '\n' && after_cr) {
            step.ended = state_ == State::dot_cr;
            state_ = State::line_start;
        } else if (c == '\r') {
            state_ = state_ == State::dot ? State::dot_cr : State::cr;
        } else {
            state_ = c == '.' && state_ == State::line_start ? State::dot : State::line;
        }
        ++i;
        if (step.violated) break;
    }
    step.used = i;
    if (violated_) {
        step.carried_cr = false;
        return step;
    }
    const bool hold_back = !step.ended && (state_ == State::cr || state_ == State::dot_cr);
    step.pass = bytes.substr(0, i - (hold_back ? 1 : 0));
    return step;
}

}  // namespace weir::smtp
