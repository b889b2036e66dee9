#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::smtp {

/// Finds where a message ends, and what must not be in it, as the bytes stream by.
///
/// Only CRLF.CRLF ends a message (RFC 5321 4.1.1.4); a bare CR, a bare LF or a NUL is refused, for a relay that takes
/// one of them for a line end would see a message boundary that we do not (CVE-2023-51764 and its kin). So that the
/// relay never gets a byte before we know that it is harmless, a CR is held back until its LF has come: `pass` never
/// ends in a CR, and the caller sends one that was held back itself, see `carried_cr`.
///
/// The bytes are not changed: dot-stuffing stays as it is, since both sides of Weir speak DATA.
class BodyScanner {
public:
    struct Step {
        std::size_t used = 0;     ///< how many bytes of the input are dealt with
        std::string_view pass;    ///< clean bytes to send on, a view into the input
        bool carried_cr = false;  ///< a CR held back earlier comes before `pass`
        bool ended = false;       ///< `pass` ends with the CRLF.CRLF of the message
        bool violated = false;    ///< a bare CR, LF or NUL was found: nothing more may be sent on
    };

    /// Scans to the end of the message or of `bytes`. After `violated` it goes on looking for the end, passing nothing.
    [[nodiscard]] Step scan(std::string_view bytes);

    /// Ready for the next message.
    void reset() { *this = BodyScanner(); }

private:
    /// What the bytes so far end with. The message starts as if after a CRLF.
    enum class State : std::uint8_t { line, cr, line_start, dot, dot_cr };

    State state_ = State::line_start;
    bool violated_ = false;
};

}  // namespace weir::smtp
