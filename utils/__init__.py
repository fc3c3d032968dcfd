"""The house behind the two scripts, floor by floor. Imports point strictly down, to lower numbers.

=====  ======================================================================================
floor  rooms
=====  ======================================================================================
13     extract_cli: which work the flags ask for
12     run_cli: a run, on the screen; finding_cli: categories found and marked; download_cli:
       the prerequisites, on the screen
11     pipeline: a whole run, in the order in which it happens
10     books: what all categories of a run have
9      supply: one category's books
8      offering: all that a category has to offer; preview: what a run would do; verify: a result
       judged again
7      pool: the worker processes; publishing: the reports; store: what categories share;
       archive_terms: what must be accepted;
       marking_cli: what was marked, and what comes next
6      worker_process: the process around a worker;
       prerequisites: the three files, once; extract_options: the flags; catalogue: what can be
       told of a category; archive_queue: which category's tar comes when;
       archive_offer: what a tar has; verdicts: how long they are believed
5      worker: the work on one image; inventory: what is there already; offers: one
       after the other; candidates: which URLs a category offers; cli: booleans, signals, exit
       codes; selection: which categories a run is about; telling: words beside the work;
       prerequisite_makers: each of the three; archive_feed: a category's tar, read while it
       comes
4      schedule: which URL next; fetch: many URLs at once; url_table: the rows of a category;
       url_list: any list of URLs made into the table; alternates: where an image lies today;
       pairing: an image and its XML; tempo: how many in flight; sourcing: one source after
       another; screen: lines and bars; marking: marks written into ncodes.csv;
       hierarchy: what is a kind of what
3      categories: ncodes.csv; cell_edits: cells changed where they stand;
       transfer: one request and its limits; images: bytes judged;
       queues: who waits where; quarantine: who killed a worker; voc: archives and XML; speed:
       the network's; web_file: one big file; outage: ours, or theirs; report: the CSV; url_index:
       where a category's rows lie; annotation_archives: boxes to be kept;
       listing: as table or CSV; annotated_images: how many; archive_faults: why a tar of
       images does not come
2      finding: by words of a name; user_table: tables as any program writes them;
       folder_names: safe and different; url_layout: what a line means; redirects: where none may lead;
       voc_archive: tar files that may be hostile; boxes: fitted to a picture;
       image_signatures: what bytes begin like; image_structure: whether they are all there;
       journey: a task on its way through the schedule;
       speed_cache: for a day; part_file: what a broken download leaves;
       packed: zip, tgz and gz as a stream; known_sources: addresses of the prerequisites;
       web_faults: why a big file does not come; web_session: one talk with a server;
       image_tar: where images lie in a tar;
       placeholders: pictures of nothing; opt_out: X-Robots-Tag; journal: what became of every
       URL; summary, progress: in numbers
1      storage: where things lie; name_words: names taken apart; messages: what parent and
       worker say to each other;
       curl_reasons: what curl's codes mean; url_rows: which rows can be asked for; hosts: how
       politely each is treated; tar_headers: what tar files are like; credentials: what lets
       us in
0      models: the nouns; errors: what stops a run; door: the way into a script
=====  ======================================================================================

`tests/test_architecture.py` reads this table and keeps it true.
"""
