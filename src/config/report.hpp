#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "document.hpp"

namespace weir::config {

/// Collects what is wrong with one file, so that an operator sees all of it at once.
class Report {
public:
    explicit Report(std::string_view file) : file_(file) {}

    void error(Position at, const std::string& message) { errors_.push_back({at, message}); }
    void warning(Position at, const std::string& message) { warnings_.push_back({at, message}); }

    /// Throws ConfigError with one line per error, in the file's order, if there are any.
    void throw_if_failed();

    /// "FILE:LINE:COL: key: ...", in the file's order.
    [[nodiscard]] std::vector<std::string> warnings();

private:
    struct Remark {
        Position at;
        std::string message;
    };

    [[nodiscard]] std::vector<std::string> lines(std::vector<Remark>& remarks) const;

    std::string file_;
    std::vector<Remark> errors_;
    std::vector<Remark> warnings_;
};

/// The text in double quotes, fit for one line of a terminal or a log: control characters escaped, long text cut.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// The text as it is if it is short and plain, as keys are; else as in_quotes().
[[nodiscard]] std::string key_text(std::string_view key);

}  // namespace weir::config
