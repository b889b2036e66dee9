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
    /// Whether a refused key asks for no more than what happens without it.
    bool (*asks_for_nothing)(const Node& node) = nullptr;
};

/// `tls: {level: none}` says what is the case, and is how a later version will be told to go without.
bool is_tls_off(const Node& node) {
    return node.entries.size() == 1 && node.entries.front().key == "level" && node.entries.front().value.text == "none";
}

/// A row goes when what it names is built and has a Field of its own.
constexpr std::array later{
    LaterKey{"upstream.tls", Key::State::refused, Node::Kind::map, "leave it out, or write {level: none}", is_tls_off},
    LaterKey{"upstream.auth", Key::State::refused, Node::Kind::map,
             "leave it out, and let the relay know this host by its address"},
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
    } else if (key->asks_for_nothing == nullptr || !key->asks_for_nothing(value.node())) {
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
