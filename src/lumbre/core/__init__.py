"""The words every other part speaks: frozen values and protocols, standard library only."""
