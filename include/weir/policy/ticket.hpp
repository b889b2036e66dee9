#pragma once

#include <boost/container/small_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "weir/limit/gcra.hpp"
#include "weir/policy/identity.hpp"

namespace weir::policy {

class Engine;
struct Rules;

/// Which of a limit's quotas something counts against.
enum class Quantity : std::uint8_t { messages, recipients, bytes, new_sender_domains };

inline constexpr std::size_t quantities = 4;

/// What one admitted message has been charged, so that it can be given back.
///
/// Owns:   nothing but the note of the charges; dropping it keeps them charged. One ticket serves a session's
///         messages one after the other: admit_message() starts it afresh.
/// Memory: no allocation up to about ten recipients; beyond that, and for very long addresses, one that is kept.
class Ticket {
public:
    Ticket() = default;

    /// How many recipients have been admitted so far, given back or not: the next one's index.
    [[nodiscard]] std::size_t recipients() const { return recipients_; }

private:
    friend class Engine;

    /// A limit that applies to this message, and the key it counts under.
    struct Application {
        limit::Key key;
        std::uint32_t rule = 0;
        std::uint32_t version = 0;       // of the limit's buckets: charges from before a change of rate stay
        std::uint32_t recipients = 0;    // how many of them are charged to it
        bool is_for_recipients = false;  // whether it applies depends on the recipient
        bool minted = false;             // this message introduced its sender domain
    };

    /// One charge. What belongs to the whole message is noted under `whole_message`.
    struct Note {
        limit::Charge charge;
        std::uint32_t recipient = 0;
        std::uint16_t application = 0;
        Quantity quantity = Quantity::messages;
        bool is_shared = false;  // charged to the row that newcomers share
    };

    static constexpr std::uint32_t whole_message = UINT32_MAX;

    void start(std::shared_ptr<const Rules> rules, std::uint64_t size);

    std::shared_ptr<const Rules> rules_;  // none: nothing admitted
    Identity identity_;
    boost::container::small_vector<Application, 4> applications_;
    boost::container::small_vector<Note, 12> notes_;
    std::uint64_t size_ = 0;
    std::uint64_t message_id_ = 0;  // 0: nothing to recognise its other parts by
    std::uint32_t recipients_ = 0;
    bool is_counted_already_ = false;  // another part of the same message was
    bool is_committed_ = false;
    bool is_first_part_ = false;
};

}  // namespace weir::policy
