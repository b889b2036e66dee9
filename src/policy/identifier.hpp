#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "weir/policy/domain.hpp"
#include "weir/policy/engine.hpp"
#include "weir/policy/identity.hpp"

namespace weir::policy {

/// A recipient's domain, as matches and as limits see it.
struct RecipientDomain {
    DomainName whole;
    std::size_t registrable_begin = 0;
    limit::Key key;

    [[nodiscard]] std::string_view registrable() const { return view(whole).substr(registrable_begin); }
};

/// A sender's address in the spelling that matches compare: lower case, the domain folded; "<>" when empty.
[[nodiscard]] std::string fold_sender(std::string_view sender);

/// Turns what Postfix told us into identities and keys.
///
/// Asking libpsl takes about a microsecond, so the answers for the domains seen last are kept.
class Identifier {
public:
    explicit Identifier(const limit::Seed& seed) : seed_(seed) {}

    void identify(const Envelope& envelope, const Settings& settings, Identity& identity);
    [[nodiscard]] RecipientDomain recipient_domain(std::string_view recipient);

    /// The key of several parts together.
    [[nodiscard]] limit::Key combine(const limit::Key* parts, std::size_t count) const;

    /// One message, however many transactions Postfix splits it into; 0 when it has no queue ID to know it by.
    [[nodiscard]] std::uint64_t message_id(const Identity& identity, std::string_view ident) const;

private:
    struct Registrable {
        limit::Key whole;  // the key of the whole domain
        limit::Key key;    // the key of its registrable part
        std::uint32_t begin = 0;
    };

    const Registrable& registrable(const DomainName& folded);
    [[nodiscard]] limit::Key client_key(const Identity& identity, const Settings& settings) const;
    [[nodiscard]] limit::Key sender_key(const Identity& identity) const;

    limit::Seed seed_;
    std::array<Registrable, 512> registrables_;
};

}  // namespace weir::policy
