#include "identifier.hpp"

#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <cstring>

namespace weir::policy {
namespace {

// RFC 5321 4.5.3.1.1 says 64; Postfix takes more. What is cut off here cannot make a new key.
constexpr std::size_t longest_local_part = 256;
constexpr std::size_t longest_name = 256;                    // of a login or lane
constexpr std::string_view double_bounce = "double-bounce";  // Postfix's double_bounce_sender

constexpr char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

template <class Text>
void append_lower(Text& out, std::string_view text) {
    for (const char c : text) out.push_back(lower(c));
}

std::string_view local_part(std::string_view sender) {
    return sender.substr(0, std::min(sender.rfind('@'), sender.size()));
}

/// Appends the folded sender; returns its domain.
template <class Text>
DomainName append_sender(Text& out, std::string_view sender) {
    DomainName domain = fold_domain(sender);
    if (sender.rfind('@') != sender.npos) {
        append_lower(out, local_part(sender).substr(0, longest_local_part));
        out.push_back('@');
    }
    out.insert(out.end(), domain.begin(), domain.end());
    return domain;
}

Identity::Client client_kind(const Envelope& envelope) {
    if (envelope.origin.client) return Identity::Client::remote;
    const std::string_view local = local_part(envelope.sender);
    const bool is_double_bounce = std::equal(local.begin(), local.end(), double_bounce.begin(), double_bounce.end(),
                                             [](char a, char b) { return lower(a) == b; });
    return envelope.sender.empty() || is_double_bounce ? Identity::Client::bounce : Identity::Client::local;
}

std::string_view bytes_of(const limit::Key* keys, std::size_t count) {
    return {reinterpret_cast<const char*>(keys), count * sizeof(limit::Key)};
}

}  // namespace

std::string fold_sender(std::string_view sender) {
    std::string folded;
    append_sender(folded, sender);
    return folded;
}

void Identifier::identify(const Envelope& envelope, const Settings& settings, Identity& identity) {
    auto& text = identity.text_;
    text.clear();
    append_lower(text, std::string_view(envelope.origin.login).substr(0, longest_name));
    identity.login_end_ = static_cast<std::uint16_t>(text.size());
    const std::string_view lane = envelope.lane.substr(0, longest_name);
    text.insert(text.end(), lane.begin(), lane.end());
    identity.lane_end_ = static_cast<std::uint16_t>(text.size());
    const DomainName domain = append_sender(text, envelope.sender);
    const Registrable& known = registrable(domain);
    identity.domain_begin_ = static_cast<std::uint16_t>(text.size() - domain.size());
    identity.registrable_begin_ = static_cast<std::uint16_t>(identity.domain_begin_ + known.begin);

    identity.client_kind = client_kind(envelope);
    identity.client = envelope.origin.client.value_or(core::IpAddress{});
    identity.client_key = client_key(identity, settings);
    identity.login_key = identity.login().empty() ? limit::Key{} : limit::siphash(seed_, identity.login());
    identity.sender_key = sender_key(identity);
    identity.sender_domain_key = known.key;
}

RecipientDomain Identifier::recipient_domain(std::string_view recipient) {
    RecipientDomain domain;
    domain.whole = fold_domain(recipient);
    const Registrable& known = registrable(domain.whole);
    domain.registrable_begin = known.begin;
    domain.key = known.key;
    return domain;
}

limit::Key Identifier::combine(const limit::Key* parts, std::size_t count) const {
    return count == 1 ? parts[0] : limit::siphash(seed_, bytes_of(parts, count));
}

std::uint64_t Identifier::message_id(const Identity& identity, std::string_view ident) const {
    if (ident.empty()) return 0;
    // The whole sender, not sender_key, which is the same for bounces+1@ and bounces+2@.
    const std::array<limit::Key, 3> parts{identity.client_key, limit::siphash(seed_, identity.sender()),
                                          limit::siphash(seed_, ident)};
    return combine(parts.data(), parts.size()).low;
}

const Identifier::Registrable& Identifier::registrable(const DomainName& folded) {
    const limit::Key whole = limit::siphash(seed_, view(folded));
    Registrable& known = registrables_[whole.low % registrables_.size()];
    if (known.whole == whole) return known;
    const std::size_t begin = registrable_offset(folded);
    known = {.whole = whole,
             .key = limit::siphash(seed_, view(folded).substr(begin)),
             .begin = static_cast<std::uint32_t>(begin)};
    return known;
}

limit::Key Identifier::client_key(const Identity& identity, const Settings& settings) const {
    const auto network = core::masked(identity.client, settings.ipv4_prefix, settings.ipv6_prefix);
    std::array<char, 17> bytes{};
    bytes[0] = static_cast<char>(identity.client_kind);
    std::memcpy(bytes.data() + 1, network.bytes.data(), network.bytes.size());
    return limit::siphash(seed_, {bytes.data(), bytes.size()});
}

// One sender, however it is written: user+tag@ and "user"@ are user@.
limit::Key Identifier::sender_key(const Identity& identity) const {
    const std::string_view local = local_part(identity.sender());
    const std::size_t plus = local.find('+', 1);
    boost::container::small_vector<char, 128> address;
    for (const char c : local.substr(0, plus)) {
        if (c != '"' && c != '\\') address.push_back(c);
    }
    const std::string_view rest = identity.sender().substr(local.size());
    address.insert(address.end(), rest.begin(), rest.end());
    return limit::siphash(seed_, {address.data(), address.size()});
}

}  // namespace weir::policy
