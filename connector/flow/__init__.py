"""The flow: pull → accept → carry → settle, the same in both directions. No network, threads or clock of its own."""
