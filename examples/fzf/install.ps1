$version="0.65.1"
