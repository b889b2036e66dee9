// The words of a hold. What a sender can choose is cut and cleaned here, once, for replies, logs and the API alike.

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include "rules.hpp"

namespace weir::policy {
namespace {

// RFC 5321 4.5.3.1.5 gives a reply line 512 bytes; a key of 200 leaves room for the rest.
constexpr std::size_t longest_key = 200;
constexpr std::size_t longest_limit_name = 64;

constexpr std::array<std::string_view, quantities> quantity_names{"messages", "recipients", "bytes",
                                                                  "new_sender_domains"};

std::string printable(std::string_view text, std::size_t most) {
    std::string clean(text.substr(0, most));
    std::replace_if(
        clean.begin(), clean.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return clean;
}

std::string part_text(KeyPart part, const Settings& settings, const Identity& identity,
                      const RecipientDomain* recipient) {
    switch (part) {
        case KeyPart::client:
            return "client " + client_text(settings, identity);
        case KeyPart::login:
            return "login " + std::string(identity.login());
        case KeyPart::sender:
            return "sender " + std::string(identity.sender());
        case KeyPart::sender_domain:
            return "sender_domain " + std::string(identity.registrable_domain());
        case KeyPart::recipient_domain:
            return "recipient_domain " + std::string(recipient->registrable());
        case KeyPart::relay:
            return "relay";
    }
    return {};
}

}  // namespace

std::string client_text(const Settings& settings, const Identity& identity) {
    if (identity.client_kind == Identity::Client::local) return "local";
    if (identity.client_kind == Identity::Client::bounce) return "bounce";
    const auto network = core::masked(identity.client, settings.ipv4_prefix, settings.ipv6_prefix);
    const unsigned length = network.is_v4() ? 96 + settings.ipv4_prefix : settings.ipv6_prefix;
    return core::format_cidr({.network = network, .length = length});
}

std::string key_text(const Rule& rule, const Settings& settings, const Identity& identity,
                     const RecipientDomain* recipient) {
    std::string text;
    for (const KeyPart part : rule.settings.per) {
        if (!text.empty()) text += ", ";
        text += part_text(part, settings, identity, recipient);
    }
    return printable(text, longest_key);
}

std::string Hold::reply_text() const {
    std::string text = "weir: " + printable(key, longest_key) + " is over \"" + printable(limit, longest_limit_name) +
                       "\" (" + printable(rate, longest_limit_name) + ' ' +
                       std::string(quantity_names[static_cast<std::size_t>(quantity)]) + "); ";
    if (retry_after == core::Duration::max()) {
        text += "a message of this size can never pass (burst " + printable(burst, longest_limit_name) + ')';
    } else {
        text += "next slot in " + core::format_wait(retry_after);
    }
    std::array<char, 16> number{};
    std::snprintf(number.data(), number.size(), "; ref=%06X", ref);
    return text + number.data();
}

}  // namespace weir::policy
