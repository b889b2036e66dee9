#pragma once

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#include "weir/policy/reply_facts.hpp"

namespace weir::app {

/// One reply of `weir classify`'s input.
struct InputReply {
    int code = 0;
    policy::ReplyText reply;
    policy::Stage stage = policy::Stage::unknown;
    std::string id;  ///< JSON text of the input's `id`, to be passed through; empty: none

    [[nodiscard]] policy::ReplyFacts facts() const;
};

/// Reads replies from a stream, raw SMTP lines or JSON Lines, whichever it begins with.
///
/// `on_reply` gets each as soon as it is whole; `on_mistake` a line's number and what is wrong there. What follows a
/// mistake is read on.
void read_replies(std::istream& input, const std::function<void(const InputReply&)>& on_reply,
                  const std::function<void(std::size_t line, std::string_view problem)>& on_mistake);

}  // namespace weir::app
