// TLS and the login: towards the relay, and from Postfix.

#include <algorithm>

#include "fields.hpp"
#include "network.hpp"
#include "sections.hpp"

namespace weir::config {
namespace {

using proxy::AuthSettings;
using proxy::TlsSettings;
using Level = TlsSettings::Level;

constexpr std::string_view tls_allowed = "write it as in {level: secure}";
constexpr std::string_view auth_allowed = "write it as in {username: me, password_file: /run/secrets/relay}";
constexpr std::string_view file_allowed = "give the path of a file";
constexpr std::string_view listen_tls_allowed =
    "write it as in {cert_file: /etc/weir/cert.pem, key_file: /etc/weir/key.pem}";

constexpr std::array levels{
    Choice<Level>{"none", Level::none},
    Choice<Level>{"may", Level::may},
    Choice<Level>{"encrypt", Level::encrypt},
    Choice<Level>{"secure", Level::secure},
};

using Mechanism = Choice<std::string_view>;

// Those that smtp::SaslClient knows; a test compares them.
constexpr std::array mechanisms{
    Mechanism{"SCRAM-SHA-256", "SCRAM-SHA-256"},
    Mechanism{"SCRAM-SHA-1", "SCRAM-SHA-1"},
    Mechanism{"PLAIN", "PLAIN"},
    Mechanism{"LOGIN", "LOGIN"},
    Mechanism{"CRAM-MD5", "CRAM-MD5"},
    Mechanism{"XOAUTH2", "XOAUTH2"},
};

constexpr std::array switches{Choice<bool>{"true", true}, Choice<bool>{"false", false}};

void read_text(const Value& value, std::string_view allowed, std::string& out) {
    if (!value.expect(Node::Kind::scalar, allowed)) return;
    if (value.node().text.empty()) {
        value.error("is empty; " + std::string(allowed));
    } else {
        out = value.node().text;
    }
}

void read_file(const Value& value, std::string& out) {
    read_text(value, file_allowed, out);
}

void read_server_name(const Value& value, TlsSettings& tls) {
    constexpr std::string_view allowed = "give the name in the relay's certificate, as in smtp.isp.example";
    if (!value.expect(Node::Kind::scalar, allowed)) return;
    if (is_host_name(value.node().text)) {
        tls.server_name = lower(value.node().text);
    } else {
        value.refuse("is not a host name; " + std::string(allowed));
    }
}

constexpr std::array tls_fields{
    Field<TlsSettings>{"level", [](const Value& value,
                                   TlsSettings& tls) { tls.level = read_choice(value, levels).value_or(tls.level); }},
    Field<TlsSettings>{"wrapper",
                       [](const Value& value, TlsSettings& tls) { tls.wrapper = read_choice(value, switches); }},
    Field<TlsSettings>{"ca_file", [](const Value& value, TlsSettings& tls) { read_file(value, tls.ca_file); }},
    Field<TlsSettings>{"server_name", read_server_name},
    Field<TlsSettings>{"cert_file",
                       [](const Value& value, TlsSettings& tls) { read_file(value, tls.certificate_file); }},
    Field<TlsSettings>{"key_file", [](const Value& value, TlsSettings& tls) { read_file(value, tls.key_file); }},
};

void read_mechanism(const Value& value, AuthSettings& auth) {
    if (const auto mechanism = read_choice(value, mechanisms)) auth.mechanisms.emplace_back(*mechanism);
}

constexpr std::array auth_fields{
    Field<AuthSettings>{"username",
                        [](const Value& value, AuthSettings& auth) {
                            read_text(value, "give the name to log in with", auth.username);
                        }},
    Field<AuthSettings>{"password_file",
                        [](const Value& value, AuthSettings& auth) { read_file(value, auth.password_file); }},
    Field<AuthSettings>{"password_env",
                        [](const Value& value, AuthSettings& auth) {
                            read_text(value, "give the name of an environment variable", auth.password_env);
                        }},
    Field<AuthSettings>{"token_file",
                        [](const Value& value, AuthSettings& auth) { read_file(value, auth.token_file); }},
    Field<AuthSettings>{"mechanisms",
                        [](const Value& value, AuthSettings& auth) {
                            constexpr std::size_t most = 8;
                            auth.mechanisms.clear();
                            read_list(value, "give a list, as in [SCRAM-SHA-256, PLAIN]", most,
                                      [&](const Value& item) { read_mechanism(item, auth); });
                        }},
    Field<AuthSettings>{"allow_plaintext_auth",
                        [](const Value& value, AuthSettings& auth) {
                            auth.allow_plaintext_auth =
                                read_choice(value, switches).value_or(auth.allow_plaintext_auth);
                        }},
};

constexpr std::array listen_tls_fields{
    Field<ListenTls>{"cert_file", [](const Value& value, ListenTls& tls) { read_file(value, tls.certificate_file); }},
    Field<ListenTls>{"key_file", [](const Value& value, ListenTls& tls) { read_file(value, tls.key_file); }},
};

}  // namespace

void read_tls(const Value& value, TlsSettings& tls) {
    if (!read_map(value, tls_fields, tls_allowed, tls)) return;
    if (tls.level == Level::none && value.node().entries.size() > 1) {
        value.error("has a level of none, and more that only TLS has a use for; " + std::string(tls_allowed));
    }
    const bool verifies = tls.level == Level::secure;
    for (const char* key : {"ca_file", "server_name"}) {
        const auto member = find(value, key);
        if (member && !verifies) member->error("is for level secure: no other level looks at the certificate");
    }
    if (!tls.key_file.empty() && tls.certificate_file.empty())
        value.missing("cert_file", "name the certificate of key_file");
}

void list_tls(const std::string& path, std::vector<Key>& keys) {
    list_keys(tls_fields, path + '.', keys);
}

void read_auth(const Value& value, std::optional<AuthSettings>& out) {
    AuthSettings auth;
    if (const auto password = find(value, "password")) {
        password->key_error(
            "is not written into this file, which others may read; write it into one of its own, and "
            "give that as password_file");
        return;
    }
    if (!read_map(value, auth_fields, auth_allowed, auth)) return;
    if (!find(value, "username")) value.missing("username", "give the name to log in with");
    const int sources = static_cast<int>(find(value, "password_file").has_value()) +
                        static_cast<int>(find(value, "password_env").has_value()) +
                        static_cast<int>(find(value, "token_file").has_value());
    if (sources != 1)
        value.error("needs one of password_file, password_env and token_file; " + std::string(auth_allowed));
    out = std::move(auth);
}

void list_auth(const std::string& path, std::vector<Key>& keys) {
    list_keys(auth_fields, path + '.', keys);
}

void read_listen_tls(const Value& value, std::optional<ListenTls>& out) {
    ListenTls tls;
    if (!read_map(value, listen_tls_fields, listen_tls_allowed, tls)) return;
    if (!find(value, "cert_file")) value.missing("cert_file", std::string(listen_tls_allowed));
    out = std::move(tls);
}

void list_listen_tls(const std::string& path, std::vector<Key>& keys) {
    list_keys(listen_tls_fields, path + '.', keys);
}

}  // namespace weir::config
