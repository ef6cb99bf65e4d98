"""`python -m prfpipe`: the same as `prfpipe`, where scripts are not on the path."""

from prfpipe.cli import main

if __name__ == "__main__":
    main()
