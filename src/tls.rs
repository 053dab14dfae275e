//! The one TLS provider of the process.

/// Makes ring the provider of every TLS library in here; harmless when repeated.
pub fn install() {
    // Err only says that one is installed already, and the build graph holds no other.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
