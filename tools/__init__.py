"""What tests, benches and the demo need and the product does not: a browser, human speech."""
