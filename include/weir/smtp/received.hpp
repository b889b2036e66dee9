#pragma once

#include <string>
#include <string_view>

namespace weir::smtp {

/// Reads Postfix's *current* queue ID off the topmost Received header as the body streams by.
///
/// XFORWARD's IDENT is the queue ID of first reception; after a content filter, an alias or `postsuper -r` only the
/// topmost header has the ID that postqueue and postsuper know. A client may prepend a forged header, but it ends up
/// below the one that the last Postfix added.
///
/// Memory: at most 4 KiB, freed as soon as the header is complete.
class QueueIdSniffer {
public:
    /// Takes the next bytes of the body; cheap once done().
    void feed(std::string_view bytes);

    [[nodiscard]] bool done() const { return done_; }

    /// Empty until found, or when there is none.
    [[nodiscard]] const std::string& queue_id() const { return queue_id_; }

private:
    void finish();

    std::string header_;
    std::string queue_id_;
    bool done_ = false;
};

/// The ID in one unfolded header line "Received: [from HELO (NAME [ADDR]) (...)] by HOST (Postfix...) [with ESMTP] id
/// ID", or empty. Nothing that HELO, NAME, a comment or what follows the ID holds can be taken for it.
[[nodiscard]] std::string_view queue_id_in_received(std::string_view header);

}  // namespace weir::smtp
