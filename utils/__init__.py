"""The house behind the two scripts, floor by floor. Imports point strictly down, to lower numbers.

=====  ======================================================================================
floor  rooms
=====  ======================================================================================
10     extract_cli, download_cli: from flags to a run, and to the screen
9      pipeline: a whole run, in the order in which it happens
8      books: what all categories of a run have; verify: a result judged again
7      pool: the worker processes; preview: what a run would do; publishing: the reports
6      supply: one category's books; worker_process: the process around a worker;
       prerequisites: the three files, once; extract_options: the flags
5      worker: the work on one image; inventory: what is there already; candidates: which
       URLs a category offers; cli: booleans, signals, exit codes
4      schedule: which URL next; url_table: the rows of a category; url_list: any list of
       URLs made into the table; alternates: where an image lies today; pairing: an image and
       its XML; tempo: how many in flight; sourcing: one source after another; screen: lines
       and bars
3      categories: ncodes.csv; fetch: many URLs at once; images: bytes judged; voc: archives
       and XML; speed: the network's; web_file: one big file; outage: ours, or theirs;
       report: the CSV; url_index: where a category's rows lie; annotation_archives: boxes
       to be kept
2      user_table: tables as any program writes them; folder_names: safe and different;
       url_layout: what a line means; url_rows: which rows can be asked for;
       voc_archive: tar files that may be hostile; boxes: fitted to a picture;
       image_signatures: what bytes begin like; image_structure: whether they are all there;
       transfer: one request and its limits; journey: a task on its way through the schedule;
       speed_cache: for a day; part_file: what a broken download leaves;
       packed: zip, tgz and gz as a stream; known_sources: addresses of the prerequisites;
       placeholders: pictures of nothing; opt_out: X-Robots-Tag; journal: what became of every
       URL; summary, progress: in numbers
1      storage: where things lie; messages: what parent and worker say to each other;
       curl_reasons: what curl's codes mean; redirects: where none may lead; hosts: how
       politely each is treated
0      models: the nouns; errors: what stops a run; door: the way into a script
=====  ======================================================================================

`tests/test_architecture.py` reads this table and keeps it true.
"""
