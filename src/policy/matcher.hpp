#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/policy/identity.hpp"
#include "weir/policy/settings.hpp"

namespace weir::policy {

/// How closely a match describes a message; the greater wins among the limits of one name.
///
/// First the longest client network counts, then how exactly names were matched, then how many tables were set.
/// Where all are equal the limit written first wins.
struct Specificity {
    unsigned network = 0;  ///< length of the network that matched, of 128; 129 for `local`; 0 without a client table
    unsigned names = 0;    ///< 1000 for each name matched whole, its length for each domain suffix
    unsigned tables = 0;

    auto operator<=>(const Specificity&) const = default;
};

/// Names, whole or as suffixes with a leading dot, folded as identities are.
class NameTable {
public:
    NameTable() = default;
    explicit NameTable(std::vector<std::string> names);

    [[nodiscard]] bool empty() const { return names_.empty(); }

    /// 1000: `name` is listed. Else the length of the longest suffix listed for it, or 0.
    [[nodiscard]] unsigned find(std::string_view name) const;

private:
    [[nodiscard]] bool has(std::string_view name) const;

    std::vector<std::string> names_;  // sorted
};

/// A limit's `match`, ready to be asked.
class Matcher {
public:
    explicit Matcher(const Match& match);

    /// Whether it looks at the recipient, so that it cannot be asked at MAIL.
    [[nodiscard]] bool needs_recipient() const { return !recipient_domain_.empty(); }

    /// None: not for this message. `recipient_domain` is the whole domain; empty at MAIL.
    [[nodiscard]] std::optional<Specificity> match(const Identity& identity, std::string_view recipient_domain) const;

private:
    [[nodiscard]] unsigned match_client(const Identity& identity) const;

    std::vector<core::Cidr> client_;
    bool local_;
    NameTable login_;
    NameTable lane_;
    NameTable sender_;
    NameTable sender_domain_;
    NameTable recipient_domain_;
};

}  // namespace weir::policy
