#pragma once

#include <boost/json/string.hpp>
#include <string_view>

#include "weir/smtp/command.hpp"

namespace weir::sim {

/// What a client sent, for JSON, which must be UTF-8: where it is not, its non-ASCII bytes become '?'.
[[nodiscard]] inline boost::json::string json_text(std::string_view text) {
    boost::json::string result(text.data(), text.size());
    if (smtp::is_utf8(text)) return result;
    for (char& character : result) {
        if (static_cast<unsigned char>(character) >= 0x80) character = '?';
    }
    return result;
}

}  // namespace weir::sim
