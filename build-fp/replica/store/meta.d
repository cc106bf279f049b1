build-fp/replica/store/meta.o: replica/store/meta.c \
 replica/store/store_internal.h replica/store/store.h replica/lib/codec.h
replica/store/store_internal.h:
replica/store/store.h:
replica/lib/codec.h:
