#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::policy {

/// A reply is a few hundred bytes; what is beyond this is not looked at.
inline constexpr std::size_t longest_reply_text = 4096;

/// A reply's text as the built-in patterns see it: lower case, one line, single blanks, accents taken off (UTF-8 and
/// Latin-1), and of mailboxes only "@domain", for what stands before it was chosen by a sender and proves nothing.
[[nodiscard]] std::string plain_text(std::string_view text);

/// The same for common phrases. Left out is what is no evidence: URLs, whose words say where to read on and not what
/// happened; and, so that replies that differ in nothing else are the same text, long numbers ("0"), IPv4 addresses
/// ("0.0.0.0"), the domains of mailboxes, and words that are names of transactions or hosts ("#"). What Postfix puts in
/// front of any reason is a sign: $c the client host, $h HELO, $s the sender, $r the recipient, $d DATA.
[[nodiscard]] std::string phrase_text(std::string_view plain);

}  // namespace weir::policy
