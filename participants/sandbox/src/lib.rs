//! A sandbox payment provider that speaks the PortOne V1 REST API.
