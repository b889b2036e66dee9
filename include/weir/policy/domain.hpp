#pragma once

#include <boost/static_string/static_string.hpp>
#include <cstddef>
#include <string_view>

namespace weir::policy {

/// A domain in the one spelling that Weir counts by; never longer than RFC 5321 4.5.3.1.2 allows.
using DomainName = boost::static_string<255>;

/// Boost's static_string knows only Boost's own string_view.
[[nodiscard]] inline std::string_view view(const DomainName& name) {
    return {name.data(), name.size()};
}

/// The domain of an address, or a domain, in one spelling: lower case, U-labels as A-labels, no trailing dot.
///
/// The null sender (an empty text) is "<>". A domain literal is kept whole. Whatever else is wrong with it, the
/// same text gives the same name: bytes that are no characters become '?', and of an overlong name the end is kept.
[[nodiscard]] DomainName fold_domain(std::string_view address_or_domain);

/// Where in a folded domain its registrable part begins, by the public suffix list built into libpsl:
/// 4 in "a.x.example.co.uk". 0 for a public suffix itself, a literal, a single label.
[[nodiscard]] std::size_t registrable_offset(const DomainName& folded);

/// `a.x.example.co.uk` and `<me@EXAMPLE.co.uk.>`'s address are both `example.co.uk`.
[[nodiscard]] DomainName registrable_domain(std::string_view address_or_domain);

}  // namespace weir::policy
