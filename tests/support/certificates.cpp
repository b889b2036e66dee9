#include "support/certificates.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <cstdio>

#include "support/socket.hpp"

namespace weir::test {
namespace {

template <auto function>
struct FreeWith {
    template <class T>
    void operator()(T* object) const {
        function(object);
    }
};
using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using File = std::unique_ptr<std::FILE, FreeWith<std::fclose>>;

File create(const std::filesystem::path& path) {
    File file(std::fopen(path.c_str(), "w"));
    if (!file) throw TestFailure("cannot write " + path.string());
    return file;
}

void write(const std::filesystem::path& path, X509* certificate) {
    PEM_write_X509(create(path).get(), certificate);
}

void write(const std::filesystem::path& path, EVP_PKEY* key) {
    PEM_write_PrivateKey(create(path).get(), key, nullptr, nullptr, 0, nullptr, nullptr);
}

void add_extension(X509* certificate, X509* issuer, int id, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
    if (extension == nullptr) throw TestFailure("not an extension: " + value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

/// Unsigned, from yesterday on.
Certificate new_certificate(const std::string& subject, EVP_PKEY* key, std::chrono::hours lifetime) {
    static std::atomic<long> serial{1};
    constexpr long day = 24 * 60 * 60;
    Certificate certificate(X509_new());
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -day);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), std::chrono::seconds(lifetime).count());
    X509_set_pubkey(certificate.get(), key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(subject.c_str()), -1, -1, 0);
    return certificate;
}

}  // namespace

struct TestCa::Impl {
    std::filesystem::path directory;
    Key key{EVP_EC_gen("P-256")};
    Certificate certificate = new_certificate("Weir test CA", key.get(), std::chrono::hours(24 * 365));
};

TestCa::TestCa(std::filesystem::path directory) : impl_(std::make_unique<Impl>()) {
    impl_->directory = std::move(directory);
    X509* own = impl_->certificate.get();
    X509_set_issuer_name(own, X509_get_subject_name(own));
    add_extension(own, own, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(own, own, NID_key_usage, "critical,keyCertSign,cRLSign");
    X509_sign(own, impl_->key.get(), EVP_sha256());
    write(file(), own);
}

TestCa::~TestCa() = default;

std::filesystem::path TestCa::file() const {
    return impl_->directory / "ca.pem";
}

Identity TestCa::issue(const std::vector<std::string>& names, std::chrono::hours lifetime) const {
    static std::atomic<int> number{0};
    const Key key(EVP_EC_gen("P-256"));
    const Certificate certificate = new_certificate("somebody", key.get(), lifetime);
    X509* issuer = impl_->certificate.get();
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer));
    std::string alternatives;
    for (const std::string& name : names) alternatives += (alternatives.empty() ? "" : ",") + name;
    add_extension(certificate.get(), issuer, NID_subject_alt_name, alternatives);
    X509_sign(certificate.get(), impl_->key.get(), EVP_sha256());
    const std::string base = "identity" + std::to_string(number++);
    Identity identity{.certificate = impl_->directory / (base + ".pem"), .key = impl_->directory / (base + ".key")};
    write(identity.certificate, certificate.get());
    write(identity.key, key.get());
    return identity;
}

}  // namespace weir::test
