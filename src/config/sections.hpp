#pragma once

#include <optional>
#include <string>
#include <vector>

#include "value.hpp"
#include "weir/config/keys.hpp"
#include "weir/config/settings.hpp"

namespace weir::config {

// One function per section of the file. Each reads what is valid into `settings` and complains about the rest; the
// list_ functions name the keys below a section for known_keys().

void read_listen(const Value& value, Settings& settings);
void list_listen(const std::string& path, std::vector<Key>& keys);

void read_trusted_clients(const Value& value, Settings& settings);

void read_sessions(const Value& value, Settings& settings);
void list_sessions(const std::string& path, std::vector<Key>& keys);

void read_upstream(const Value& value, Settings& settings);
void list_upstream(const std::string& path, std::vector<Key>& keys);

void read_tls(const Value& value, proxy::TlsSettings& tls);
void list_tls(const std::string& path, std::vector<Key>& keys);

void read_auth(const Value& value, std::optional<proxy::AuthSettings>& auth);
void list_auth(const std::string& path, std::vector<Key>& keys);

/// STARTTLS on a listener.
void read_listen_tls(const Value& value, std::optional<ListenTls>& tls);
void list_listen_tls(const std::string& path, std::vector<Key>& keys);

void read_limits(const Value& value, Settings& settings);
void list_limits(const std::string& path, std::vector<Key>& keys);

void read_feedback(const Value& value, Settings& settings);
void list_feedback(const std::string& path, std::vector<Key>& keys);

void read_client_prefix(const Value& value, Settings& settings);
void list_client_prefix(const std::string& path, std::vector<Key>& keys);

void read_admin(const Value& value, Settings& settings);
void list_admin(const std::string& path, std::vector<Key>& keys);

void read_log(const Value& value, Settings& settings);
void list_log(const std::string& path, std::vector<Key>& keys);

/// "enforce" or "observe", for everything or for one limit.
void read_mode(const Value& value, policy::Mode& mode);

/// A name that the operator gives a lane or a limit; it ends up in replies, log lines and metric labels.
[[nodiscard]] std::optional<std::string> read_name(const Value& value);

}  // namespace weir::config
