#include "later.hpp"

#include <algorithm>
#include <array>

namespace weir::config {
namespace {

struct LaterKey {
    std::string_view path;
    Key::State state;
    Node::Kind kind;
    std::string_view allowed;
};

/// A row goes when what it names is built and has a Field of its own.
constexpr std::array later{
    LaterKey{"upstream.contract.preset", Key::State::refused, Node::Kind::scalar,
             "write the contract's messages, recipients and recipients_per_message"},
    LaterKey{"lanes", Key::State::no_effect, Node::Kind::map, "write it as in {priority: {weight: 3}}"},
    LaterKey{"feedback.window", Key::State::no_effect, Node::Kind::scalar, "write it as in window: 5m"},
    LaterKey{"feedback.min_replies", Key::State::no_effect, Node::Kind::scalar, "write it as in min_replies: 10"},
    LaterKey{"feedback.slow_at", Key::State::no_effect, Node::Kind::scalar, "write it as in slow_at: 10%"},
    LaterKey{"feedback.hold_at", Key::State::no_effect, Node::Kind::scalar, "write it as in hold_at: 40%"},
    LaterKey{"feedback.hold", Key::State::no_effect, Node::Kind::scalar, "write it as in hold: 1m..1h"},
    LaterKey{"quarantine", Key::State::no_effect, Node::Kind::map, "write it as in {after: 15m, max: 24h}"},
    LaterKey{"policy_service", Key::State::no_effect, Node::Kind::map, "write it as in {listen: \"127.0.0.1:10027\"}"},
    LaterKey{"state", Key::State::no_effect, Node::Kind::map, "write it as in {file: /var/lib/weir/weir.db}"},
    LaterKey{"alerts", Key::State::no_effect, Node::Kind::list, "write it as in [{webhook: \"http://host/path\"}]"},
    LaterKey{"admin.token_file", Key::State::no_effect, Node::Kind::scalar, "name a file"},
};

}  // namespace

bool read_later_key(const Value& value) {
    const auto key =
        std::find_if(later.begin(), later.end(), [&](const LaterKey& k) { return k.path == value.path(); });
    if (key == later.end()) return false;
    if (!value.expect(key->kind, key->allowed)) return true;
    if (key->state == Key::State::no_effect) {
        value.warning("has no effect in this version");
    } else {
        value.error("is not available in this version; " + std::string(key->allowed));
    }
    return true;
}

std::vector<Key> later_keys() {
    std::vector<Key> keys;
    for (const LaterKey& key : later) keys.push_back({.path = std::string(key.path), .state = key.state});
    return keys;
}

}  // namespace weir::config
