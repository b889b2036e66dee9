#include "document.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "text.hpp"

namespace weir::config {
namespace {

// Far above what any configuration needs, far below what hurts: an alias bomb of a few hundred bytes asks for billions.
constexpr std::size_t max_nodes = 100'000;
constexpr std::size_t max_depth = 32;

Position position(const YAML::Mark& mark) {
    return mark.is_null() ? Position{} : Position{.line = mark.line + 1, .column = mark.column + 1};
}

Node make_node(Node::Kind kind, const YAML::Mark& mark, std::string text = {}) {
    Node node;
    node.kind = kind;
    node.at = position(mark);
    node.text = std::move(text);
    return node;
}

/// Makes the tree out of the parser's events.
///
/// Events rather than YAML::Node, because a Node keeps only one of two equal keys, has no place for a key, and shares
/// aliased parts in a way that cannot be counted.
class TreeBuilder final : public YAML::EventHandler {
public:
    [[nodiscard]] std::optional<Node> take_root() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (root_) throw SyntaxError(position(mark), "a second document begins here; a configuration is one document");
    }

    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        finish(make_node(Node::Kind::null, mark), anchor);
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const auto target = anchors_.find(anchor);
        if (target == anchors_.end()) throw SyntaxError(position(mark), "this alias stands inside what it stands for");
        count(target->second.size, position(mark));
        add(target->second);
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        check_tag(mark, tag);
        finish(make_node(Node::Kind::scalar, mark, value), anchor);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value /*style*/) override {
        check_tag(mark, tag);
        open(make_node(Node::Kind::list, mark), anchor);
    }

    void OnSequenceEnd() override { close(); }

    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value /*style*/) override {
        check_tag(mark, tag);
        open(make_node(Node::Kind::map, mark), anchor);
    }

    void OnMapEnd() override {
        merge(open_.back().node);
        close();
    }

private:
    /// A list or map whose end has not been seen.
    struct Open {
        Node node;
        YAML::anchor_t anchor;
        std::optional<Entry> key;  ///< whose value comes next
    };

    // "?" and "!" are the parser's names for plain and quoted scalars without a tag.
    static void check_tag(const YAML::Mark& mark, const std::string& tag) {
        if (tag.empty() || tag == "?" || tag == "!") return;
        throw SyntaxError(position(mark), "YAML tags (!...) have no meaning here; quote text that begins with \"!\"");
    }

    void count(std::size_t nodes, Position at) {
        nodes_ += nodes;
        if (nodes_ > max_nodes)
            throw SyntaxError(at, "too many values; a configuration has at most " + std::to_string(max_nodes) +
                                      ", aliases written out");
    }

    void open(Node node, YAML::anchor_t anchor) {
        if (open_.size() == max_depth) {
            throw SyntaxError(node.at, "nested deeper than " + std::to_string(max_depth) + " levels");
        }
        open_.push_back({.node = std::move(node), .anchor = anchor, .key = std::nullopt});
    }

    void close() {
        Open closed = std::move(open_.back());
        open_.pop_back();
        finish(std::move(closed.node), closed.anchor);
    }

    void finish(Node node, YAML::anchor_t anchor) {
        count(1, node.at);
        if (anchor != YAML::NullAnchor) {
            count(node.size, node.at);
            anchors_[anchor] = node;
        }
        add(std::move(node));
    }

    void add(Node node) {
        if (open_.empty()) {
            root_ = std::move(node);
            return;
        }
        Open& parent = open_.back();
        if (parent.node.kind == Node::Kind::map && !parent.key) {
            if (node.kind != Node::Kind::scalar)
                throw SyntaxError(node.at, "a key must be text; should something in brackets be in quotes?");
            parent.key = Entry{.key = std::move(node.text), .at = node.at, .value = {}};
            return;
        }
        parent.node.size += node.size;
        if (parent.node.kind == Node::Kind::list) {
            parent.node.items.push_back(std::move(node));
        } else {
            parent.key->value = std::move(node);
            parent.node.entries.push_back(std::move(*parent.key));
            parent.key.reset();
        }
    }

    /// Replaces `<<: *defaults` by the entries of `defaults` that the map does not have itself.
    void merge(Node& map) {
        std::set<std::string, std::less<>> present;
        std::vector<Entry> own;
        std::vector<Entry> merged;
        for (Entry& entry : map.entries) {
            present.insert(entry.key);
            (entry.key == "<<" ? merged : own).push_back(std::move(entry));
        }
        map.entries = std::move(own);
        for (const Entry& merge_key : merged) {
            const Node& source = merge_key.value;
            const bool is_list = source.kind == Node::Kind::list;
            for (const Node& part : is_list ? source.items : std::vector<Node>{source}) {
                if (part.kind != Node::Kind::map) throw SyntaxError(merge_key.at, "<<: takes a map or a list of maps");
                for (const Entry& entry : part.entries) {
                    if (!present.insert(entry.key).second) continue;
                    count(entry.value.size, merge_key.at);
                    map.size += entry.value.size;
                    map.entries.push_back(entry);
                }
            }
        }
    }

    std::vector<Open> open_;
    std::map<YAML::anchor_t, Node> anchors_;
    std::optional<Node> root_;
    std::size_t nodes_ = 0;
};

std::vector<std::string_view> first_lines(std::string_view text, int count) {
    std::vector<std::string_view> lines;
    while (!text.empty() && std::ssize(lines) < count) {
        const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
        lines.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return lines;
}

/// The parser's own words. They may quote one byte of the file, be it half a character or the end of a line.
std::string message(const YAML::Exception& error) {
    std::string text = error.msg;
    const auto is_unfit = [](unsigned char c) { return c < 0x20 || c >= 0x7f; };
    std::replace_if(text.begin(), text.end(), is_unfit, '?');
    return text;
}

/// Says what usually stands behind an error in which the parser's own words are a puzzle.
std::string hint(std::string_view text, const YAML::Exception& error) {
    if (error.msg == YAML::ErrorMsg::EOF_IN_SCALAR) return "; a quote is not closed";
    const auto lines = first_lines(text, position(error.mark).line);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const std::string_view indent =
            lines[i].substr(0, std::min(lines[i].find_first_not_of(" \t"), lines[i].size()));
        if (indent.find('\t') == std::string_view::npos) continue;
        return "; line " + std::to_string(i + 1) + " is indented with a tab, YAML takes spaces only";
    }
    const bool is_bracketed_address = !lines.empty() && lines.back().find("]:") != std::string_view::npos;
    return is_bracketed_address ? "; an address in brackets must be in quotes" : "";
}

}  // namespace

Node parse_document(std::string_view text) {
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
    check_is_text(text);

    // yaml-cpp takes a quote that is still open for closed when the file ends with a line end or blanks.
    text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);

    std::istringstream stream{std::string(text)};
    TreeBuilder builder;
    try {
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(builder)) continue;
    } catch (const YAML::Exception& error) {
        throw SyntaxError(position(error.mark), "not YAML: " + message(error) + hint(text, error));
    }
    return builder.take_root().value_or(Node{});
}

}  // namespace weir::config
