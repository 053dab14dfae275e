#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| baton_decoder_laws::payloads::check(data));
