#pragma once

#include <boost/crc.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "weir/sim/observer.hpp"

namespace weir::sim {

/// Takes a DATA body apart: only CRLF.CRLF ends it, leading dots are removed, sizes and a checksum are kept.
///
/// It shares no code with smtp::BodyScanner on purpose: the judge must not have the defendant's mistakes.
class BodyReader {
public:
    /// Takes bytes up to the end of the body; returns how many it took. After done() it takes none.
    std::size_t feed(std::string_view bytes);

    [[nodiscard]] bool done() const { return state_ == State::done; }

    /// Requires: done().
    [[nodiscard]] BodyFacts facts() const;

private:
    enum class State : std::uint8_t { line_start, dot, dot_cr, text, text_cr, done };

    std::size_t feed_text(std::string_view bytes);
    void content(std::string_view bytes);

    State state_ = State::line_start;
    BodyFacts facts_;
    boost::crc_32_type crc_;
    std::string head_;  ///< the first bytes, enough for the headers we look at
};

}  // namespace weir::sim
