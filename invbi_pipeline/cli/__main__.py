"""`python -m invbi_pipeline.cli` is `invbi`."""

from invbi_pipeline.cli import main

if __name__ == "__main__":
    main()
