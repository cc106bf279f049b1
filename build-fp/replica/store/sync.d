build-fp/replica/store/sync.o: replica/store/sync.c \
 replica/store/store_internal.h replica/store/store.h replica/lib/codec.h \
 replica/lib/check.h
replica/store/store_internal.h:
replica/store/store.h:
replica/lib/codec.h:
replica/lib/check.h:
