#pragma once

#include <boost/container/small_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "weir/core/ip.hpp"
#include "weir/limit/siphash.hpp"

namespace weir::policy {

/// Who a message counts against, in the spelling that Weir counts by. Made at MAIL, kept by the ticket.
///
/// All text lies in one buffer, of which the usual message fills less than is kept inline.
class Identity {
public:
    enum class Client : std::uint8_t {
        remote,  ///< has an address
        local,   ///< handed in by sendmail(1)
        bounce,  ///< Postfix's own: null sender or double-bounce@, handed in locally; charged to nobody
    };

    Client client_kind = Client::remote;
    core::IpAddress client;  ///< as told, not masked

    limit::Key client_key;
    limit::Key login_key;
    limit::Key sender_key;
    limit::Key sender_domain_key;

    [[nodiscard]] std::string_view login() const { return text(0, login_end_); }
    [[nodiscard]] std::string_view lane() const { return text(login_end_, lane_end_); }
    /// Lower case; "<>" for the null sender.
    [[nodiscard]] std::string_view sender() const { return text(lane_end_, text_.size()); }
    /// The sender's whole domain; matches look at it.
    [[nodiscard]] std::string_view sender_domain() const { return text(domain_begin_, text_.size()); }
    /// The part of it that limits count by.
    [[nodiscard]] std::string_view registrable_domain() const { return text(registrable_begin_, text_.size()); }

    [[nodiscard]] bool has_null_sender() const { return sender() == "<>"; }

private:
    friend class Identifier;

    [[nodiscard]] std::string_view text(std::size_t begin, std::size_t end) const {
        return {text_.data() + begin, end - begin};
    }

    boost::container::small_vector<char, 96> text_;  // login, lane, sender; the domain is the sender's end
    std::uint16_t login_end_ = 0;
    std::uint16_t lane_end_ = 0;
    std::uint16_t domain_begin_ = 0;
    std::uint16_t registrable_begin_ = 0;
};

}  // namespace weir::policy
