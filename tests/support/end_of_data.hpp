#pragma once

#include <array>
#include <cstdint>
#include <ostream>
#include <string_view>

namespace weir::test {

/// Byte sequences that some server somewhere has taken for the end of a message, or that look like one
/// (CVE-2023-51764, -51765, -51766; smtpsmug; The-Login; Wang et al., USENIX Security 2025, A1 to A13).
struct EndOfData {
    enum class Is : std::uint8_t {
        violation,           ///< a bare CR, LF or NUL, and no end: the message is refused at its true end
        violation_then_end,  ///< the same, and CRLF.CRLF as well
        end_then_nul,        ///< an end, and a NUL where the next command should begin
        plain,               ///< nothing at all: it belongs to the message
    };

    const char* name;
    std::string_view bytes;
    Is is;
};

inline void PrintTo(const EndOfData& vector, std::ostream* out) {
    *out << vector.name;
}

using namespace std::string_view_literals;

inline constexpr std::array end_of_data_vectors{
    EndOfData{"LfDotLf", "\n.\n"sv, EndOfData::Is::violation},
    EndOfData{"LfDotCrlf", "\n.\r\n"sv, EndOfData::Is::violation},
    EndOfData{"CrDotCr", "\r.\r"sv, EndOfData::Is::violation},
    EndOfData{"CrDotCrlf", "\r.\r\n"sv, EndOfData::Is::violation},
    EndOfData{"CrlfDotLf", "\r\n.\n"sv, EndOfData::Is::violation},
    EndOfData{"CrlfDotCr", "\r\n.\r"sv, EndOfData::Is::violation},
    EndOfData{"CrDotLf", "\r.\n"sv, EndOfData::Is::violation},
    EndOfData{"LfDotCr", "\n.\r"sv, EndOfData::Is::violation},
    EndOfData{"CrlfNulDotCrlf", "\r\n\0.\r\n"sv, EndOfData::Is::violation},
    EndOfData{"CrlfDotNulCrlf", "\r\n.\0\r\n"sv, EndOfData::Is::violation},
    EndOfData{"CrNulLfDotCrlf", "\r\0\n.\r\n"sv, EndOfData::Is::violation},
    EndOfData{"CrlfDotCrNulLf", "\r\n.\r\0\n"sv, EndOfData::Is::violation},
    EndOfData{"CrlfDotCrCrlf", "\r\n.\r\r\n"sv, EndOfData::Is::violation},
    EndOfData{"CrCrlfDotCrCrlf", "\r\r\n.\r\r\n"sv, EndOfData::Is::violation},
    EndOfData{"NulCrlfDotCrlf", "\0\r\n.\r\n"sv, EndOfData::Is::violation_then_end},
    EndOfData{"CrCrlfDotCrlf", "\r\r\n.\r\n"sv, EndOfData::Is::violation_then_end},
    EndOfData{"CrlfDotCrlfNul", "\r\n.\r\n\0"sv, EndOfData::Is::end_then_nul},
    EndOfData{"DotStuffedDot", "\r\n..\r\n"sv, EndOfData::Is::plain},
    EndOfData{"DotBlank", "\r\n. \r\n"sv, EndOfData::Is::plain},
    EndOfData{"UnstuffedDot", "\r\n.x\r\n"sv, EndOfData::Is::plain},
    EndOfData{"VerticalTab", "\x0b.\x0b"sv, EndOfData::Is::plain},
    EndOfData{"NextLine", "\xc2\x85.\xc2\x85"sv, EndOfData::Is::plain},
    EndOfData{"LineSeparator", "\xe2\x80\xa8.\xe2\x80\xa8"sv, EndOfData::Is::plain},
};

}  // namespace weir::test
